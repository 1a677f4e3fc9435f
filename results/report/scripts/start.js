// Starts what the page can do with scripts; if anything is missing, it stays as it is without.

document.querySelectorAll('table:not(.heat)').forEach(sortRows);

/** Draw charts when they come into view. */
function whenSeen(place, draw) {
  const watcher = new IntersectionObserver(entries => {
    if (entries.some(entry => entry.isIntersecting)) { watcher.disconnect(); draw(); }
  }, { rootMargin: '400px' });
  watcher.observe(place);
}

async function start() {
  const data = JSON.parse(await unpacked('runs'));
  verdicts = data.verdicts;
  const library = unpacked('library').then(text => {
    document.head.append(make('script', {}, text));
    document.getElementById('library').remove();
  });
  const lists = new Map();
  const open = id => { location.hash = `run=${id}`; };
  for (const section of document.querySelectorAll('section[data-table]')) {
    const table = data.tables[Number(section.dataset.table)];
    const filter = new Filter(table);
    const runs = data.runs[Number(section.dataset.table)];
    if (table.variants.length > 1) section.querySelector('.setting').after(filter.form());
    filterRows(section, filter);
    const list = new Runs(section.querySelector('[data-runs]'), table, runs, filter);
    runs.forEach(run => lists.set(run.id, [list, run]));
    filter.changed();
    const kinds = { verdicts: verdictsChart, costs: costsChart, curves: curvesChart };
    for (const place of section.querySelectorAll('[data-chart]')) {
      whenSeen(place, async () => {
        await library;
        const before = [...place.childNodes];
        try {
          const chart = kinds[place.dataset.chart](place, table, runs, filter, open);
          if (chart) await chart.draw();
        } catch (error) {
          place.replaceChildren(...before); // the drawing that needs no scripts
          throw error;
        }
      });
    }
  }
  const follow = async () => {
    const found = lists.get(decodeURIComponent(location.hash).replace('#run=', ''));
    if (!found) return;
    await library;
    found[0].open(found[1]);
  };
  addEventListener('hashchange', follow);
  await follow();
  document.body.dataset.started = 'yes';
}
start();

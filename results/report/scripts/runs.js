// Lists the runs of a table, and opens each in a section of its own.

const COLUMNS = [
  ['run', run => run.id], ['variant', (run, table) => table.variants[run.variant].name],
  ['score', run => run.score], ['seed', run => run.seed], ['status', run => run.status],
  ['parameters', run => run.parameters], ['seconds', run => run.seconds],
  ['tokens/s', run => run.speed], ['findings', run => run.causes.join(', ')],
];

class Runs {
  constructor(place, table, runs, filter) {
    Object.assign(this, { table });
    this.panel = make('div', {});
    const titles = COLUMNS.map(([title]) => (title === 'score' ? table.title : title));
    const listing = new Listing(titles, {
      label: `runs of ${table.task}`, words: ['variant', 'status', 'findings'], sorted: 2,
      cell: (value, title) => (title === 'run' ? linked(value) : title === table.title ? scoreText(value, table)
        : typeof value === 'number' && title !== 'seed' ? short(value) : String(value ?? '')),
    });
    place.replaceChildren(make('h3', {}, 'Runs'),
      make('p', { class: 'note' }, 'Choose a run to see its settings, curve, outputs, attention and findings.'),
      ...listing.parts, this.panel);
    filter.listeners.push(() => listing.list(runs.filter(run => filter.shows(run.variant))
      .map(run => COLUMNS.map(([, value]) => value(run, table)))));
  }

  /** Show the section of a run, and bring it into view. */
  open(run) {
    const section = runSection(run, this.table);
    this.panel.replaceChildren(section);
    section.scrollIntoView({ block: 'start' });
    section.focus({ preventScroll: true });
  }
}

function scoreText(score, table) {
  return score == null ? '' : score.toFixed(table.decimals);
}

/** Return the section of one run. */
function runSection(run, table) {
  const variant = table.variants[run.variant];
  const section = make('section', { class: 'run', tabindex: -1, id: `run=${run.id}`, 'aria-label': `run ${run.id}` });
  const close = make('button', { type: 'button', class: 'close',
    onclick: () => { section.remove(); history.replaceState(null, '', location.pathname + location.search); } }, 'close');
  section.append(close, make('h4', {}, `${variant.name}, seed ${run.seed}`),
    make('p', { class: 'note' }, 'Run ', make('code', {}, run.id), '; in a terminal: ',
      make('code', {}, `bench show ${run.id.slice(0, 8)}`)),
    facts(run, table), ...findings(run), ...settings(variant, table));
  const place = make('div', {});
  section.append(place);
  oneCurve(place, run);
  section.append(...outputs(run));
  return section;
}

function definitions(pairs) {
  return make('dl', {}, ...pairs.filter(([, text]) => text !== '' && text != null).map(([title, text]) =>
    make('div', {}, make('dt', {}, title), make('dd', {}, String(text)))));
}

function facts(run, table) {
  return definitions([
    ['status', run.status], ['error', run.error], [`${table.title} on test`, scoreText(run.score, table)],
    ['steps', short(run.steps)], ['target', run.tokens ? `at ${short(run.tokens)} tokens` : 'not reached'],
    ['training', run.seconds == null ? '' : `${short(run.seconds)} s`], ['tokens/s', short(run.speed)],
    ['parameters', short(run.parameters)], ['numbers in the decoder’s state', short(run.state)],
    ['peak memory', run.peak == null ? '' : `${short(run.peak)} MiB`],
  ]);
}

function findings(run) {
  const head = make('h5', {}, 'What the doctor found');
  if (run.findings && run.findings.length)
    return [head, make('ul', {}, ...run.findings.map(one => make('li', {}, make('b', {}, one.cause),
      ` (${one.sure}). Seen: ${one.evidence}. Change: ${one.change}`)))];
  if (run.causes.length) return [head, make('p', {}, run.causes.join(', '))];
  const said = run.status === 'solved' ? 'Nothing.' : 'No fault; it did not reach its target. How it stands: ';
  const command = run.status === 'solved' ? null : make('code', {}, `bench doctor ${run.id.slice(0, 8)}`);
  return [head, make('p', {}, said, command)];
}

function settings(variant, table) {
  const differ = variant.differs.map(axis => [axis, variant.values[axis] ?? table.common[axis]]);
  const rest = Object.entries(table.common).filter(([axis]) => !variant.differs.includes(axis));
  return [make('h5', {}, 'Settings'),
    make('p', { class: 'note' }, table.setting),
    differ.length ? definitions(differ) : make('p', {}, 'Those of the default.'),
    make('details', {}, make('summary', {}, differ.length ? 'all other axes' : 'all axes'), definitions(rest))];
}

/** Draw the curve of one run. */
function oneCurve(place, run) {
  if (!run.curve) return;
  const keys = Object.keys(run.curve).filter(key => key !== 'step');
  const losses = keys.filter(key => key === 'loss' || key === 'valid_loss');
  let chosen = losses.length ? 'losses' : keys[0];
  const describe = off => {
    const names = chosen === 'losses' ? losses : [chosen];
    const lines = names.map((name, number) => [words(name), COLOURS[number]]);
    const drawn = names.filter(name => !off.has(words(name)));
    const values = drawn.flatMap(name => run.curve.step.map((step, number) => (
      { step, value: run.curve[name][number], what: words(name) })).filter(point => point.value != null));
    const encoding = {
      x: { field: 'step', type: 'quantitative', title: 'training step', scale: { zero: false, nice: false } },
      y: { field: 'value', type: 'quantitative', title: chosen === 'losses' ? 'loss' : words(chosen),
           scale: scaled(values.map(point => point.value), 30) },
      color: coloured('what', lines),
    };
    const tooltip = [{ field: 'what' }, { field: 'step' }, { field: 'value', format: '.4g' }];
    return {
      numbers: () => ({ titles: ['training step', ...drawn.map(words)],
                        rows: run.curve.step.map((step, number) => [step, ...drawn.map(name => run.curve[name][number])]) }),
      spec: { height: 220, data: { values }, layer: [
        { params: ZOOM, mark: { type: 'line', clip: true }, encoding }, hovered(encoding, tooltip)] },
      lines, zoomed: { x: 'step', y: 'value' }, label: `${words(chosen)} over training steps`, note: '',
    };
  };
  const options = [...(losses.length ? [['losses', 'the losses']] : []), ...keys.map(key => [key, words(key)])];
  const chart = new Chart(place, '', [select('Curve of', options, chosen, value => {
    chosen = value; chart.off.clear(); chart.draw();
  })], describe);
  chart.draw();
}

/** Return the outputs of a run, wrong ones first, and its attention on a sentence of choice. */
function outputs(run) {
  const samples = run.samples || [];
  const all = [...(run.tested ? run.tested.wrong : []), ...samples];
  const shown = all.filter((one, place) => all.findIndex(other => other.source === one.source) === place);
  if (!shown.length) return [];
  const wrong = one => one.reference != null && one.reference !== one.output;
  const rows = shown.map(one => make('tr', {}, make('td', { class: 'text' }, one.source),
    make('td', { class: wrong(one) ? 'text worse' : 'text' }, one.output + (one.ended === false ? ' (no end)' : '')),
    make('td', { class: 'text' }, one.reference ?? '')));
  const heads = ['source', 'output', 'reference'].map(title => make('th', { class: 'text', scope: 'col' }, title));
  const parts = [make('h5', {}, counted(run, wrong)),
    make('div', { class: 'wide', tabindex: 0, role: 'region', 'aria-label': 'outputs' },
      make('table', {}, make('thead', {}, make('tr', {}, ...heads)), make('tbody', {}, ...rows)))];
  const attended = samples.filter(one => one.attention);
  if (attended.length) {
    const place = make('div', {});
    const draw = number => place.replaceChildren(attention(attended[Number(number)]));
    parts.push(make('h5', {}, 'Attention, in per cent'),
      make('p', { class: 'controls' }, select('on', attended.map((one, n) => [String(n), one.source]), '0', draw)), place);
    draw(0);
  }
  return parts;
}

/** Say how many outputs are right: of all of test, or of those that were kept. */
function counted(run, wrong) {
  if (run.tested && run.tested.right != null)
    return `Outputs: ${run.tested.right} of all ${run.tested.examples} of test are right; the worst, then some others`;
  if (run.tested) return `Outputs: the worst of ${run.tested.examples} of test, then some others`;
  const judged = run.samples.filter(one => one.reference != null);
  return `Outputs: ${judged.length - judged.filter(wrong).length} of the ${judged.length} kept are right`;
}

/** Return the weights of attention in per cent as a table: a row for each output symbol. */
function attention(sample) {
  const down = [...sample.output_symbols, 'end'];
  const head = make('tr', {}, make('td'), ...sample.source_symbols.map(symbol => make('th', { scope: 'col' }, symbol)));
  const rows = sample.attention.map((weights, row) => make('tr', {}, make('th', { scope: 'row' }, down[row] ?? ''),
    ...weights.map(weight => make('td', { title: `${weight} %`, style: `background:rgba(68,119,170,${weight / 100})` },
      weight ? String(weight) : null))));
  return make('div', { class: 'wide', tabindex: 0, role: 'region', 'aria-label': `attention on ${sample.source}, in per cent` },
    make('table', { class: 'heat' }, make('thead', {}, head), make('tbody', {}, ...rows)));
}

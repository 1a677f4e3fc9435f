// Draws charts with Vega-Lite that answer to the mouse, to buttons and so to the keyboard.

const COLOURS = ['#4477AA', '#EE6677', '#228833', '#CCBB44', '#66CCEE', '#AA3377', '#999933', '#888888'];
let verdicts = []; // each with its colour and what it is called
const dark = matchMedia('(prefers-color-scheme: dark)');
const mounted = new Set();
dark.addEventListener('change', () => mounted.forEach(chart => chart.draw()));

/** A chart with its heading, its controls, a button for each line, and buttons that zoom. */
class Chart {
  /**
   * describe(): returns {spec, lines: [[name, colour]], note, zoomed: {x: field, y: field}, numbers}.
   * numbers(), if it is there, returns {titles, rows}: what the chart says under the mouse, as a table.
   */
  constructor(place, title, controls, describe, opened) {
    this.describe = describe;
    this.opened = opened;
    this.off = new Set();
    this.lines = make('div', { class: 'chips', role: 'group', 'aria-label': 'what is drawn' });
    this.drawing = make('div', { class: 'drawing', role: 'img' });
    this.note = make('figcaption', {});
    this.told = make('details', { class: 'told', hidden: true, ontoggle: () => this.tell() },
      make('summary', {}, 'numbers of this chart'));
    this.title = title;
    this.zooms = make('span', { class: 'zooms', role: 'group', 'aria-label': 'zoom' },
      ...[['+', 'zoom in', 0.6], ['−', 'zoom out', 1 / 0.6]].map(([sign, label, factor]) =>
        make('button', { type: 'button', 'aria-label': label, title: label, onclick: () => this.zoom(factor) }, sign)),
      make('button', { type: 'button', onclick: () => this.zoom(null) }, 'whole'));
    place.replaceChildren(
      ...(title ? [make('h3', {}, title)] : []),
      ...(controls.length ? [make('div', { class: 'controls' }, ...controls)] : []),
      make('figure', { class: 'live' },
        make('div', { class: 'controls' }, this.lines, this.zooms), this.drawing, this.note), this.told);
    mounted.add(this);
  }

  async draw() {
    const { spec, lines, note, label, zoomed, numbers } = this.describe(this.off);
    Object.assign(this, { zoomed, numbers });
    this.told.hidden = !numbers;
    this.tell();
    this.zooms.hidden = !zoomed;
    this.note.textContent = note;
    this.drawing.setAttribute('aria-label', label || this.title);
    this.lines.replaceChildren(...lines.map(([name, colour, text]) => this.toggle(name, colour, text)));
    const ink = getComputedStyle(document.body).color;
    const faint = '#88888840';
    const config = {
      background: 'transparent', font: 'system-ui, sans-serif', view: { stroke: null },
      axis: { labelColor: ink, titleColor: ink, domainColor: ink, tickColor: ink, gridColor: faint,
              titleFontWeight: 'normal', labelFontSize: 11, titleFontSize: 12 },
    };
    const whole = { width: 'container', autosize: { type: 'fit-x', contains: 'padding' }, config, ...spec };
    const rows = JSON.stringify(whole).length;
    const options = {
      actions: false, renderer: rows > 4e5 ? 'canvas' : 'svg',
      tooltip: { theme: dark.matches ? 'dark' : 'light' },
    };
    const { view } = await window.vegaEmbed(this.drawing, whole, options);
    if (this.view) this.view.finalize();
    this.view = view;
    view.addEventListener('click', (event, item) => {
      const datum = item && item.datum && (item.datum.datum || item.datum);
      if (datum && datum.run && this.opened) this.opened(datum.run);
    });
    this.drawing.dataset.drawn = 'yes';
  }

  /** Fill the table of numbers, if it is open: the keyboard reaches there what hovering says. */
  tell() {
    if (!this.told.open || !this.numbers) return;
    const { titles, rows } = this.numbers();
    const listing = new Listing(titles, {
      label: `numbers of the chart: ${this.drawing.getAttribute('aria-label')}`, words: ['variant'],
      cell: (value, title) => (value == null ? '' : title === 'run' && value ? linked(value)
        : typeof value === 'number' ? String(Number(value.toPrecision(5))) : value),
    });
    this.told.replaceChildren(this.told.firstChild, ...listing.parts);
    listing.list(rows);
  }

  /** Return the button of one line, which takes it away and brings it back. */
  toggle(name, colour, text) {
    const on = !this.off.has(name);
    return make('button', {
      type: 'button', class: 'chip', 'aria-pressed': String(on),
      onclick: event => {
        if (on) this.off.add(name); else this.off.delete(name);
        const place = [...this.lines.children].indexOf(event.currentTarget);
        this.draw().then(() => this.lines.children[place].focus());
      },
    }, make('span', { class: 'swatch', style: `background:${colour}` }), text || name);
  }

  /** Zoom both axes around their middle by a factor; null shows everything. */
  zoom(factor) {
    for (const [channel, field] of Object.entries(this.zoomed)) {
      const scale = this.view.scale(channel);
      const log = scale.type === 'log';
      const [low, high] = scale.domain().map(value => (log ? Math.log(value) : +value));
      const half = factor && ((high - low) * factor) / 2;
      const middle = (low + high) / 2;
      const domain = [middle - half, middle + half].map(value => (log ? Math.exp(value) : value));
      this.view.signal(`zoom_${field}`, factor ? domain : null);
    }
    this.view.runAsync();
  }
}

/** Zoom by dragging, and by the wheel with Ctrl, so that the page still scrolls. */
const ZOOM = [{
  name: 'zoom', bind: 'scales',
  select: { type: 'interval', zoom: 'wheel![event.ctrlKey]',
            translate: '[mousedown, window:mouseup] > window:mousemove!' },
}];

/** Return points that appear under the mouse, with what they say. */
function hovered(encoding, tooltip) {
  return {
    params: [{ name: 'near', select: { type: 'point', on: 'pointerover', nearest: true, clear: 'pointerout' } }],
    mark: { type: 'point', filled: true, size: 70, clip: true },
    encoding: { ...encoding, tooltip,
      opacity: { condition: { param: 'near', empty: false, value: 1 }, value: 0 } },
  };
}

/** Return a colour scale without a legend: the buttons above the chart are one. */
function coloured(field, lines) {
  return { field, type: 'nominal', legend: null,
    scale: { domain: lines.map(line => line[0]), range: lines.map(line => line[1]) } };
}

/** Return whether values are best drawn on a logarithmic scale. */
function wide(values, ratio) {
  const [low, high] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  return low > 0 && high / low > ratio;
}

function scaled(values, ratio) {
  return wide(values, ratio) ? { type: 'log', nice: false } : { zero: false };
}

/** Sort runs by the place of their variant in the table, then by seed. */
const inOrder = (a, b) => a.variant - b.variant || a.seed - b.seed;

const words = key => key.replaceAll('_', ' ');

/** Draw curves of runs: a line for each seed, a colour for each variant. */
function curvesChart(place, table, runs, filter, opened) {
  const drawn = runs.filter(run => run.curve);
  if (!drawn.length) return null;
  const keys = [...new Set(drawn.flatMap(run => Object.keys(run.curve)))].filter(key => key !== 'step');
  let key = keys.includes('valid_loss') ? 'valid_loss' : keys[0];
  let axis = '';
  const group = () => {
    if (!axis) return filter.shown;
    return filter.shown.filter(number => table.variants[number].differs.every(name => name === axis));
  };
  const describe = off => {
    const all = group();
    const shown = all.slice(0, COLOURS.length);
    const lines = shown.map((number, place_) => [table.variants[number].name, COLOURS[place_]]);
    const values = drawn.filter(run => shown.includes(run.variant)).flatMap(run => {
      const variant = table.variants[run.variant].name;
      if (off.has(variant) || !run.curve[key]) return [];
      return run.curve.step.map((step, place_) => (
        { step, value: run.curve[key][place_], variant, seed: run.seed, run: run.id }
      )).filter(point => point.value != null);
    });
    const encoding = {
      x: { field: 'step', type: 'quantitative', title: 'training step', scale: { zero: false, nice: false } },
      y: { field: 'value', type: 'quantitative', title: words(key),
           scale: scaled(values.map(point => point.value), 30) },
      color: coloured('variant', lines),
    };
    // a line for each run, a column for each step that one of them has
    const numbers = () => {
      const inside = drawn.filter(run => shown.includes(run.variant) && run.curve[key]
        && !off.has(table.variants[run.variant].name)).sort(inOrder);
      const steps = [...new Set(inside.flatMap(run => run.curve.step))].sort((a, b) => a - b);
      return { titles: ['variant', 'seed', 'run', ...steps.map(step => `step ${step}`)],
               rows: inside.map(run => {
                 const at = new Map(run.curve.step.map((step, number) => [step, run.curve[key][number]]));
                 return [table.variants[run.variant].name, run.seed, run.id, ...steps.map(step => at.get(step))];
               }) };
    };
    const tooltip = ['variant', 'seed', 'run', 'step'].map(field => ({ field, type: 'nominal' }));
    tooltip.push({ field: 'value', title: words(key), format: '.4g' });
    const left = all.length - shown.length;
    return {
      spec: { height: 300, data: { values }, layer: [
        { params: ZOOM, mark: { type: 'line', clip: true, opacity: 0.6, strokeWidth: 1.5 },
          encoding: { ...encoding, detail: { field: 'run' } } },
        hovered(encoding, tooltip),
      ] },
      lines, numbers, zoomed: { x: 'step', y: 'value' },
      label: `${words(key)} over training steps, a line for each run`,
      note: `A line for each seed. ${left > 0 ? `The best ${shown.length} of ${all.length} variants; filter to choose others. ` : ''}`
        + 'Hover to see the run, click to open it; drag or Ctrl + wheel to move and zoom.',
    };
  };
  const axes = Object.keys(table.axes);
  const chart = new Chart(place, 'Curves', [
    select('Draw', keys.map(name => [name, words(name)]), key, value => { key = value; chart.draw(); }),
    select('of', [['', 'the best variants'], ...axes.map(name => [name, `each ${name}`])], '',
      value => { axis = value; chart.draw(); }),
  ], describe, opened);
  filter.listeners.push(() => chart.draw());
  return chart;
}

const COSTS = [
  ['parameters', 'parameters'], ['state', 'numbers in the decoder’s state'],
  ['seconds', 'seconds of training'], ['speed', 'tokens per second'], ['tokens', 'tokens to the target'],
];

const NAMED = 8; // variants that a note names

/**
 * Return the variants that none beats in both: at most that cost, and a better score.
 *
 * more: more of what is on the x axis is better; higher: a higher score is.
 */
function frontier(means, more, higher) {
  const score = point => (higher ? point.score : -point.score);
  const sorted = [...means].sort((a, b) => (more ? b.cost - a.cost : a.cost - b.cost) || score(b) - score(a));
  let best = -Infinity;
  return sorted.filter(point => score(point) > best && ((best = score(point)), true));
}

/** Draw scores against a cost: a point for each run, and the variants that none beats in both. */
function costsChart(place, table, runs, filter, opened) {
  const scored = runs.filter(run => run.score != null);
  const known = COSTS.filter(([cost]) => new Set(scored.map(run => run[cost]).filter(v => v != null)).size > 1);
  if (!known.length || scored.length < 2) return null;
  const axes = Object.keys(table.axes);
  let cost = known[0][0];
  let axis = axes.includes('cell') ? 'cell' : axes[0];
  const describe = off => {
    // more values than colours are drawn in one
    const split = axis && table.axes[axis].length <= COLOURS.length;
    const kind = run => (split ? table.variants[run.variant].values[axis] : 'all variants');
    const lines = (split ? table.axes[axis] : ['all variants']).map((name, number) => (
      [name, COLOURS[number], split ? `${axis}=${name}` : name]));
    const values = scored.filter(run => run[cost] != null && filter.shows(run.variant) && !off.has(kind(run)))
      .sort(inOrder).map(run => ({ cost: run[cost], score: run.score, kind: kind(run), seed: run.seed, run: run.id,
                     variant: table.variants[run.variant].name }));
    const groups = byVariant(values);
    const mean = (list, key) => list.reduce((sum, one) => sum + one[key], 0) / list.length;
    const means = [...groups].map(([variant, list]) => (
      { variant, cost: mean(list, 'cost'), score: mean(list, 'score'), kind: list[0].kind, seeds: list.length }));
    const best = frontier(means, cost === 'speed', table.higher);
    const title = known.find(([name]) => name === cost)[1];
    const format = `.${table.decimals}f`;
    const x = { field: 'cost', type: 'quantitative', title,
                scale: { ...scaled(values.map(v => v.cost), 5), padding: 20 }, axis: { format: '~s', tickCount: 6, labelOverlap: true } };
    const y = { field: 'score', type: 'quantitative', title: table.title, scale: { zero: false, nice: false, padding: 12 } };
    const numbers = () => ({
      titles: ['variant', table.title, title, 'seed', 'run', 'none beats it'],
      rows: [...means.map(one => [one.variant, one.score, one.cost, `mean of ${one.seeds}`, '', best.includes(one) ? 'yes' : '']),
        ...values.map(one => [one.variant, one.score, one.cost, one.seed, one.run, ''])],
    });
    const said = [{ field: 'variant' }, { field: 'score', format }, { field: 'cost', title, format: '.4~s' }];
    return {
      spec: { height: 320, layer: [
        { data: { values }, params: ZOOM, mark: { type: 'circle', size: 36, opacity: 0.45, clip: true },
          encoding: { x, y, color: coloured('kind', lines),
            tooltip: [...said, { field: 'seed', type: 'nominal' }, { field: 'run', type: 'nominal' }] } },
        { data: { values: best }, mark: { type: 'line', strokeDash: [5, 3], clip: true, color: '#888888' },
          encoding: { x, y, order: { field: 'cost' } } },
        { data: { values: means }, mark: { type: 'point', filled: true, shape: 'diamond', size: 130, clip: true },
          encoding: { x, y, color: coloured('kind', lines),
            tooltip: [...said, { field: 'seeds', title: 'mean over seeds' }] } },
      ] },
      lines, numbers, zoomed: { x: 'cost', y: 'score' },
      label: `${table.title} against ${title}`,
      note: `Small points are runs, diamonds means over seeds. Nothing is better at less cost than (dashed): ${
        best.slice(0, NAMED).map(point => point.variant).join('; ') || 'nothing drawn'}${
        best.length > NAMED ? ` and ${best.length - NAMED} more` : ''}.`,
    };
  };
  const chart = new Chart(place, 'Score against cost', [
    select(`Draw ${table.title} against`, known, cost, value => { cost = value; chart.draw(); }),
    ...(axes.length > 1 ? [select('colours', axes, axis, value => { axis = value; chart.off.clear(); chart.draw(); })] : []),
  ], describe, opened);
  filter.listeners.push(() => chart.draw());
  return chart;
}

/** Group points by the name of their variant. */
function byVariant(values) {
  const groups = new Map();
  for (const value of values) {
    if (!groups.has(value.variant)) groups.set(value.variant, []);
    groups.get(value.variant).push(value);
  }
  return groups;
}

/** Draw effects with their intervals, coloured by verdict. */
function verdictsChart(place, table, runs, filter) {
  if (!table.effects.length) return null;
  const names = new Map(table.variants.map((variant, number) => [variant.name, number]));
  const describe = off => {
    const values = table.effects.filter(effect => !off.has(effect.verdict)
      && (!names.has(effect.name) || filter.shows(names.get(effect.name))));
    const lines = verdicts.filter(([word]) => table.effects.some(e => e.verdict === word));
    const narrow = place.clientWidth < 500;
    // on narrow screens long names stand on two lines
    const two = "length(datum.label) > 16 ? split(replace(datum.label, '=', '=\\n'), '\\n') : datum.label";
    const y = { field: 'name', type: 'nominal', sort: null, title: null,
                axis: { labelLimit: narrow ? 130 : 300, grid: true, ...(narrow ? { labelExpr: two } : {}) } };
    const x = { type: 'quantitative', title: `effect on ${table.title}`, axis: { labelOverlap: true } };
    const tooltip = [{ field: 'name', title: 'variant' }, { field: 'against' }, { field: 'text', title: 'effect' },
      { field: 'interval', title: '95 % interval' }, { field: 'says', title: 'verdict' }, { field: 'seeds' }];
    const color = coloured('verdict', lines);
    return {
      spec: { height: (narrow ? 28 : 20) * Math.max(values.length, 1), data: { values }, layer: [
        { params: ZOOM.map(zoom => ({ ...zoom, select: { ...zoom.select, encodings: ['x'] } })),
          mark: { type: 'rule', strokeWidth: 3, clip: true, tooltip: true },
          encoding: { y, x: { ...x, field: 'low' }, x2: { field: 'high' }, color, tooltip } },
        { mark: { type: 'rule', color: '#888888' }, encoding: { x: { datum: 0 } } },
        { mark: { type: 'circle', size: 90, opacity: 1, clip: true },
          encoding: { y, x: { ...x, field: 'effect' }, color, tooltip } },
      ] },
      lines, zoomed: { x: 'low' },
      label: `effects on ${table.title}; the table above has the numbers`,
      note: 'Effects with their 95 % intervals; hover for the numbers. Right of zero is a higher score than the default’s.',
    };
  };
  const chart = new Chart(place, '', [], describe);
  filter.listeners.push(() => chart.draw());
  return chart;
}

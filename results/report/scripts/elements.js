// Small helpers of all scripts of the page.

/** Return a new element; attributes that begin with `on` are listeners. */
function make(tag, attributes, ...inside) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...inside.filter(part => part != null));
  return element;
}

/** Return a labelled select; options are texts, or pairs of value and text. */
function select(label, options, chosen, changed) {
  const list = make('select', { onchange: () => changed(list.value) });
  for (const option of options) {
    const [value, text] = Array.isArray(option) ? option : [option, option];
    list.append(make('option', { value, selected: value === chosen }, text));
  }
  return make('label', {}, `${label} `, list);
}

/** Return the unpacked text of an element that holds gzip as base64. */
async function unpacked(id) {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), c => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).text();
}

/** Return a number with few digits: 14.7k, 1.20M. */
function short(value) {
  if (value == null) return '';
  for (const [size, suffix] of [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']])
    if (Math.abs(value) >= size * 0.9995) return (value / size).toPrecision(3) + suffix;
  return Number.isInteger(value) ? String(value) : value.toPrecision(3);
}

/** Compare two cells of a table; what is missing comes first, numbers before words. */
function order(a, b) {
  if (a == null || b == null) return (a != null) - (b != null);
  if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Make the heads of a table buttons that call `sort(column, up)`. */
function sortable(table, sort) {
  const heads = [...table.querySelectorAll('thead th')];
  heads.forEach((head, column) => {
    const button = make('button', { type: 'button' }, head.textContent);
    head.replaceChildren(button);
    button.addEventListener('click', () => {
      const up = head.getAttribute('aria-sort') !== 'ascending';
      heads.forEach(other => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      sort(column, up);
    });
  });
}

/** Let the heads of a table that is in the page sort its rows. */
function sortRows(table) {
  sortable(table, (column, up) => {
    const value = row => {
      const cell = row.cells[column];
      const raw = cell.dataset.value ?? cell.textContent;
      const number = parseFloat(raw);
      return raw === '' ? null : isNaN(number) ? raw : number;
    };
    const body = table.tBodies[0];
    const rows = [...body.rows].sort((a, b) => (up ? 1 : -1) * order(value(a), value(b)));
    body.append(...rows);
  });
}

const PAGE = 20;

/** A table of rows that are listed a page at a time, and sorted by any column. */
class Listing {
  /** columns: titles, of which those in `words` are aligned left. cell(value, title): what is shown of a value. */
  constructor(columns, { label, words = [], cell, sorted = null, up = false }) {
    Object.assign(this, { columns, cell, sorted, up, rows: [], count: PAGE });
    this.kinds = columns.map(title => (words.includes(title) ? 'text' : null));
    this.body = make('tbody');
    this.said = make('output', {});
    this.more = make('button', { type: 'button', onclick: () => { this.count += 5 * PAGE; this.show(); } });
    const heads = columns.map((title, column) => make('th', { scope: 'col', class: this.kinds[column] }, title));
    const grid = make('table', {}, make('thead', {}, make('tr', {}, ...heads)), this.body);
    sortable(grid, (column, way) => { Object.assign(this, { sorted: column, up: way }); this.show(); });
    this.parts = [make('div', { class: 'wide', tabindex: 0, role: 'region', 'aria-label': label }, grid),
      make('p', { class: 'controls' }, this.said, this.more)];
  }

  /** List these rows, each a list of values, from the first page on. */
  list(rows) {
    Object.assign(this, { rows, count: PAGE });
    this.show();
  }

  show() {
    const { rows, sorted, up, count } = this;
    const listed = sorted == null ? rows
      : [...rows].sort((a, b) => (up ? 1 : -1) * order(a[sorted], b[sorted]));
    this.body.replaceChildren(...listed.slice(0, count).map(row => make('tr', {}, ...row.map(
      (value, column) => make('td', { class: this.kinds[column] }, this.cell(value, this.columns[column]))))));
    this.said.textContent = `${Math.min(count, rows.length)} of ${rows.length} listed`;
    this.more.textContent = `list ${Math.min(5 * PAGE, rows.length - count)} more`;
    this.more.hidden = rows.length <= count;
  }
}

/** Return a link that opens a run. */
function linked(run) {
  return make('a', { href: `#run=${run}` }, run.slice(0, 8));
}

// Chooses variants of one table by the values of their axes, or by a part of their names.

class Filter {
  constructor(table) {
    this.table = table;
    this.chosen = new Map();
    this.text = '';
    this.listeners = [];
  }

  /** Return whether the variant with this number is shown. */
  shows(number) {
    const { name, values } = this.table.variants[number];
    if (!name.includes(this.text)) return false;
    return [...this.chosen].every(([axis, wanted]) => wanted.has(values[axis]));
  }

  get shown() {
    return this.table.variants.map((_, number) => number).filter(number => this.shows(number));
  }

  changed() {
    this.listeners.forEach(listener => listener());
  }

  /** Return the controls, which change what is shown. */
  form() {
    const { axes, variants } = this.table;
    const chips = make('span', { class: 'chips' });
    const said = make('output', {});
    const value = make('select', { disabled: true });
    const axis = make('select', { onchange: () => offer() },
      make('option', { value: '' }, 'axis'),
      ...Object.keys(axes).map(name => make('option', { value: name }, name)));
    const offer = () => {
      value.disabled = !axis.value;
      value.replaceChildren(make('option', { value: '' }, 'value'),
        ...(axes[axis.value] || []).map(one => make('option', { value: one }, one)));
    };
    offer();
    value.addEventListener('change', () => {
      if (!value.value) return;
      if (!this.chosen.has(axis.value)) this.chosen.set(axis.value, new Set());
      this.chosen.get(axis.value).add(value.value);
      value.value = '';
      this.changed();
    });
    const text = make('input', {
      type: 'search', placeholder: 'part of a name', 'aria-label': 'part of a variant’s name',
      oninput: () => { this.text = text.value; this.changed(); },
    });
    this.listeners.push(() => {
      chips.replaceChildren(...[...this.chosen].flatMap(([name, wanted]) => [...wanted].map(one =>
        make('button', {
          type: 'button', class: 'chip', 'aria-label': `no longer only ${name}=${one}`,
          onclick: () => {
            wanted.delete(one);
            if (!wanted.size) this.chosen.delete(name);
            this.changed();
            axis.focus();
          },
        }, `${name}=${one} ×`))));
      said.textContent = `${this.shown.length} of ${variants.length} variants shown`;
    });
    return make('form', { class: 'controls filter', onsubmit: event => event.preventDefault() },
      make('label', {}, 'Only ', axis), make('label', {}, '= ', value), text, chips, said);
  }
}

/** Hide the rows of a section's tables whose variants are not shown. */
function filterRows(section, filter) {
  const rows = [...section.querySelectorAll('tr[data-variant]')];
  filter.listeners.push(() => rows.forEach(row => {
    row.hidden = !filter.shows(Number(row.dataset.variant));
  }));
}

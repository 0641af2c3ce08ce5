/** What runs in a report's page: draws the plots, and answers to clicks. A script, not a module: it stands in the page. */
interface View {
  signal(name: string): unknown;
  signal(name: string, value: unknown): View;
  scale(name: string): { range(): number[]; invert(at: number): number };
  tooltip(show: (handler: unknown, event: MouseEvent, item: unknown, value: unknown) => void): View;
  runAsync(): Promise<View>;
}
declare const vega: {
  View: new (runtime: unknown, options: { renderer: 'svg'; container: Element }) => View;
  parse(spec: object): unknown;
};

(() => {
  const one = <T extends Element>(selector: string): T => document.querySelector(selector) as T;
  const plots: { id: string; spec: object }[] = JSON.parse(one('#plots').textContent ?? '[]');

  const tip = one<HTMLElement>('#tip');
  /** Only text goes in: names came from data. */
  function showTip(event: MouseEvent, value: unknown): void {
    tip.hidden = value === null || value === undefined || value === '';
    if (tip.hidden) return;
    const rows = Object.entries(value as Record<string, unknown>).map(([name, text]) => {
      const row = document.createElement(name.trim() === '' ? 'b' : 'div');
      if (row.localName === 'div')
        row.append(Object.assign(document.createElement('span'), { textContent: name }));
      row.append(String(text));
      return row;
    });
    tip.replaceChildren(...rows);
    const { width, height } = tip.getBoundingClientRect();
    const left = event.clientX + 14;
    tip.style.left = `${Math.max(4, left + width > innerWidth ? event.clientX - width - 14 : left)}px`;
    tip.style.top = `${Math.max(4, Math.min(event.clientY + 14, innerHeight - height - 4))}px`;
  }

  function legend(figure: Element, view: View): void {
    const entries = [...figure.querySelectorAll<HTMLElement>('[data-method]')];
    const on = (entry: HTMLElement) => entry.getAttribute('aria-pressed') === 'true';
    for (const entry of entries) {
      entry.addEventListener('click', (event) => {
        const alone = on(entry) && entries.every((each) => on(each) === (each === entry));
        for (const each of entries) {
          const now = event.shiftKey ? alone || each === entry : on(each) !== (each === entry);
          each.setAttribute('aria-pressed', String(now));
        }
        const hidden = entries
          .filter((each) => !on(each))
          .map(({ dataset }) => Number(dataset.method));
        view.signal('hidden', hidden).runAsync();
      });
    }
  }

  function zoom(figure: Element, view: View): void {
    for (const button of figure.querySelectorAll<HTMLElement>('[data-zoom]')) {
      button.addEventListener('click', () => {
        const factor = Number(button.dataset.zoom);
        for (const axis of ['x', 'y']) {
          const scale = view.scale(axis);
          const [from, to] = scale.range();
          const [middle, half] = [(from + to) / 2, ((to - from) / 2) * factor];
          const shown = [scale.invert(middle - half), scale.invert(middle + half)];
          view.signal(`zoom_${axis}`, factor === 0 ? null : shown);
        }
        view.runAsync();
      });
    }
  }

  /** Steps through frames by a slider and a button, in about four seconds. */
  function play(figure: Element, view: View): void {
    const slider = figure.querySelector<HTMLInputElement>('input[type=range]');
    const button = figure.querySelector<HTMLElement>('[data-play]');
    if (slider === null || button === null) return;
    const last = Number(slider.max);
    let timer: ReturnType<typeof setInterval> | undefined;
    const show = (frame: number) => {
      slider.value = String(frame);
      view.signal('frame', frame).runAsync();
    };
    const stop = () => {
      clearInterval(timer);
      timer = undefined;
      button.textContent = '▶';
      button.setAttribute('aria-label', 'Play');
    };
    slider.addEventListener('input', () => {
      stop();
      show(Number(slider.value));
    });
    button.addEventListener('click', () => {
      if (timer !== undefined) return stop();
      button.textContent = '❚❚';
      button.setAttribute('aria-label', 'Pause');
      if (Number(slider.value) === last) show(0);
      const step = Math.max(1, Math.round(last / 60));
      timer = setInterval(
        () => {
          const frame = Math.min(last, Number(slider.value) + step);
          show(frame);
          if (frame === last) stop();
        },
        Math.max(33, Math.min(200, 4000 / last)),
      );
    });
  }

  async function draw({ id, spec }: { id: string; spec: object }): Promise<void> {
    const container = document.getElementById(`plot-${id}`) as HTMLElement;
    const view = new vega.View(vega.parse(spec), { renderer: 'svg', container });
    view.tooltip((_handler, event, _item, value) => showTip(event, value));
    await view.runAsync();
    const figure = container.closest('figure') as Element;
    legend(figure, view);
    zoom(figure, view);
    play(figure, view);
    container.dataset.drawn = '';
  }

  function sortBy(header: HTMLTableCellElement): void {
    const body = header.closest('table')?.tBodies[0] as HTMLTableSectionElement;
    const others = [...(header.parentElement as HTMLTableRowElement).cells];
    const column = others.indexOf(header);
    const numeric = header.classList.contains('number');
    const falling = header.getAttribute('aria-sort') === 'ascending';
    for (const other of others) other.removeAttribute('aria-sort');
    header.setAttribute('aria-sort', falling ? 'descending' : 'ascending');
    const keyed = [...body.rows].map((row) => {
      const cell = row.cells[column];
      const text = cell.textContent ?? '';
      return { row, text, number: text === '–' ? Number.NaN : Number(cell.dataset.value ?? text) };
    });
    const order = (a: (typeof keyed)[number], b: (typeof keyed)[number]): number => {
      if (!numeric) return a.text.localeCompare(b.text, 'en', { numeric: true });
      // What is no number stands last, whichever way the others go.
      const [left, right] = [Number.isNaN(a.number), Number.isNaN(b.number)];
      if (left || right) return (Number(left) - Number(right)) * (falling ? -1 : 1);
      return a.number - b.number || 0;
    };
    keyed.sort((a, b) => (falling ? -order(a, b) : order(a, b)));
    body.append(...keyed.map(({ row }) => row));
  }

  const mode = one<HTMLButtonElement>('#mode');
  const isDark = () => {
    const chosen = document.documentElement.dataset.mode;
    return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  };
  const nameMode = () => {
    mode.textContent = isDark() ? 'Light' : 'Dark';
    mode.setAttribute('aria-label', `Show in ${isDark() ? 'light' : 'dark'} colours`);
  };
  mode.addEventListener('click', () => {
    document.documentElement.dataset.mode = isDark() ? 'light' : 'dark';
    nameMode();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', nameMode);
  nameMode();

  document.addEventListener('click', ({ target }) => {
    const header = (target as Element).closest<HTMLTableCellElement>('th');
    if (header !== null) sortBy(header);
  });
  addEventListener('scroll', () => showTip(new MouseEvent('scroll'), null), { passive: true });

  (async () => {
    for (const plot of plots) {
      await draw(plot);
      // Lets the page answer between two plots.
      await new Promise((resolve) => setTimeout(resolve));
    }
    document.documentElement.dataset.ready = '';
  })();
})();

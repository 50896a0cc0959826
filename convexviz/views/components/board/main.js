// The board: panels that share variables. Whatever moves one redraws those that watch it, here.

/** Kind -> what builds a panel; a builder returns {watch, draw, stop?}. */
function panelKinds() {
  return {
    plane: planePanel, spectrum: spectrumPanel, curve: curvePanel, player: playerPanel,
    tiles: tilesPanel, bars: barsPanel, marks: marksPanel, certificate: certificatePanel,
    say: sayPanel, slider: sliderPanel, choice: choicePanel, quiz: quizPanel,
    between: betweenPanel, directions: directionsPanel, likeness: likenessPanel, strip: stripPanel,
    button: buttonPanel,
  };
}

/** Frame and figure of a panel, ready to be filled. */
function makeBox(spec) {
  const box = document.createElement('figure');
  box.className = `b-panel p-${spec.kind}`;
  box.dataset.panel = spec.id;
  box.style.setProperty('--columns', spec.columns ?? 12);
  box.style.setProperty('--phone', spec.phone ?? 12);
  box.style.setProperty('--rows', spec.rows ?? 1);
  if (spec.title) {
    const head = document.createElement('figcaption');
    const [title, note] = ['label', 'sub'].map((name) => {
      const part = document.createElement('span');
      part.className = name;
      head.append(part);
      return part;
    });
    title.textContent = spec.title;
    note.textContent = spec.note ?? '';
    box.append(head);
  }
  return box;
}

function noteOf(panel, words) {
  const note = panel.box.querySelector('figcaption .sub');
  if (note && note.textContent !== words) note.textContent = words;
}

/** What a panel is built from; the rest is only filled in. */
function formOf({id, kind, area, columns, rows, points}) {
  return JSON.stringify([id, kind, area, columns, rows, Boolean(points?.editable)]);
}

function structureOf(panels) {
  return panels.map(formOf).join();
}

/** The arrays of one panel, without the prefix that names the panel. */
function arraysOf(payload, id) {
  const prefix = `${id}.`;
  return Object.fromEntries(Object.entries(payload.arrays)
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, array]) => [name.slice(prefix.length), array]));
}

/** Build what is new, and keep the panels that go on with what they hold. */
function buildPanels(app, payload) {
  const before = new Map((app.panels ?? []).map((panel) => [formOf(panel.spec), panel]));
  const kinds = panelKinds();
  for (const area of ['main', 'side', 'below']) app.root.querySelector(`.${area}`).replaceChildren();
  app.panels = payload.panels.map((spec) => {
    const kept = before.get(formOf(spec));
    before.delete(formOf(spec));
    const panel = kept ?? {spec, arrays: arraysOf(payload, spec.id), box: makeBox(spec), app};
    app.root.querySelector(`.${spec.area ?? 'main'}`).append(panel.box);
    if (!kept) Object.assign(panel, kinds[spec.kind](app, panel));
    return panel;
  });
  before.forEach((panel) => panel.stop?.());
  refillPanels(app, payload);
  const asks = payload.panels.some((spec) => spec.kind === 'quiz');
  if (!asks) app.panels.forEach(({box}) => box.classList.remove('b-covered'));
  const alone = !payload.panels.some((spec) => spec.area === 'side');
  app.root.querySelector('.board').classList.toggle('alone', alone);
}

/** New contents for the panels that are there: nobody loses what they hold. */
function refillPanels(app, payload) {
  payload.panels.forEach((spec, i) => {
    const panel = app.panels[i];
    Object.assign(panel, {spec, arrays: arraysOf(payload, spec.id)});
    const title = panel.box.querySelector('figcaption .label');
    if (title) title.textContent = spec.title;
    noteOf(panel, spec.note ?? '');
    panel.refill?.();
  });
}

/** Draw once in the next frame: everything, or what watches the changed variables. */
function requestDraw(app, names = null) {
  if (names === null) app.stale = null;
  else if (app.stale) names.forEach((name) => app.stale.add(name));
  app.frame ||= requestAnimationFrame(() => {
    app.frame = 0;
    drawStale(app);
  });
}

function drawStale(app) {
  const started = performance.now();
  const {stale} = app;
  app.stale = new Set();
  for (const panel of app.panels) {
    if (stale === null || panel.watch().some((name) => stale.has(name))) panel.draw();
  }
  app.box.dataset.frameMs = (performance.now() - started).toFixed(2);
}

/** Move a variable; `final` when the hand lets go, which is when Python hears of it. */
function setValue(app, name, value, {final = true, live = 0} = {}) {
  app.values[name] = value;
  requestDraw(app, [name]);
  if (final) return report(app);
  if (live) tellMove(app, live);
  return undefined;
}

const PATIENCE_MS = 2000;  // a page that draws the same again does not answer

/** Tell where a hand is, once the page has answered the last time; a hand that rests is told too. */
function tellMove(app, live) {
  const since = performance.now() - (app.reported ?? 0);
  const rest = live - since;
  clearTimeout(app.later);
  if (app.waiting && since < PATIENCE_MS) app.pending = live;
  else if (rest > 0) app.later = setTimeout(() => tellMove(app, live), rest);
  else {
    app.waiting = true;
    report(app, {moving: true});
  }
}

function report(app, {moving = false} = {}) {
  app.reported = performance.now();
  app.pending = 0;
  clearTimeout(app.later);
  app.tell('values', {serial: app.serial, moving, ...app.values});
}

/** The element of a list that belongs to the value of a variable: the nearest of `at`. */
function frameOf(app, {variable, at}, count) {
  if (!variable) return 0;
  const value = app.values[variable] ?? 0;
  if (!at) return Math.max(0, Math.min(count - 1, Math.round(value)));
  let best = 0;
  for (let i = 1; i < at.length; i++) {
    if (Math.abs(at[i] - value) < Math.abs(at[best] - value)) best = i;
  }
  return best;
}

function startBoard(root, payload, order) {
  const app = root.__app ?? {root, box: root.querySelector('.board'), stale: null, frame: 0};
  app.values = {...order.values};
  app.serial = order.serial;
  app.structure = structureOf(payload.panels);
  app.id = payload.id;
  app.roles = readRoles(root);
  const held = app.panels?.find((panel) => panel.box.contains(root.activeElement))?.spec.id;
  buildPanels(app, payload);
  requestDraw(app);
  if (held) requestAnimationFrame(() => focusPanel(app, held));
  app.box.dataset.ready = 'true';
  return app;
}

/** The keyboard goes on where it was when panels around it were built anew. */
function focusPanel(app, id) {
  const panel = app.panels.find(({spec}) => spec.id === id);
  panel?.box.querySelector('[tabindex="0"], input, button:not([tabindex="-1"])')?.focus({preventScroll: true});
}

/** What a component gets again: other contents, another order, or neither. */
function goOn(app, payload, order) {
  app.waiting = false;
  if (app.pending && app.serial === order.serial) tellMove(app, app.pending);
  if (order.serial !== app.serial) {
    app.serial = order.serial;
    app.values = {...order.values};
    requestDraw(app);
  }
  if (payload.id === app.id) return;
  app.id = payload.id;
  for (const [name, value] of Object.entries(order.values)) app.values[name] ??= value;
  refillPanels(app, payload);
  requestDraw(app);
}

/** Space and the arrows play wherever the focus is, unless something there wants them. */
function passKey(app, event) {
  const target = event.composedPath()[0];
  const wants = target.matches?.('input, textarea, select, button, [role=slider], [role=application]');
  if (wants && !(event.key === ' ' && target.matches('[role=slider], [role=application]'))) return;
  for (const panel of app.panels) panel.key?.(event);
}

export default function ({parentElement: root, data, setStateValue}) {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  const {header: order, end: start} = readHeader(bytes);
  const {header, end} = readHeader(bytes, start);
  let app = root.__app;
  const payload = app?.id === header.id ? header
    : {...header, arrays: readArrays(bytes, header, end)};
  if (!app || (payload.arrays && structureOf(payload.panels) !== app.structure)) {
    app = root.__app = startBoard(root, payload, order);
  } else goOn(app, payload, order);
  app.tell = setStateValue;
  app.box.onkeydown = (event) => passKey(app, event);
  const stop = watchLook(root, () => {
    app.roles = readRoles(root);
    requestDraw(app);
  });
  return () => {
    stop();
    cancelAnimationFrame(app.frame);
    app.frame = 0;
    app.panels.forEach((panel) => panel.stop?.());
  };
}

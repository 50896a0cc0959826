// The inspector: everything is drawn from one payload, without asking the server.

const IMAGES = ['clean', 'noisy', 'denoised', 'error'];

/** An order may come from an address that somebody typed. */
function within(meta, {state, pins}) {
  return {
    state: Math.max(0, Math.min(meta.states.length - 1, state)),
    pins: pins.slice(0, 2).map((pixel) => clampPixel({meta}, pixel)),
  };
}

/** What the visitor holds; kept on the root, so that a rerun of the page changes nothing. */
function startHeld(meta, command) {
  const {state, pins} = within(meta, command);
  return {
    state,
    pins,
    older: 0,
    cursor: pins[0] ?? meta.probe ?? [Math.floor(meta.h / 2), Math.floor(meta.w / 2)],
    path: -1,
    quiz: {choice: null, told: false},
  };
}

function makeApp(root, payload, command) {
  const {arrays, ...meta} = payload;
  const find = (selector) => root.querySelector(selector);
  const app = {
    root, meta, arrays, find,
    findAll: (selector) => [...root.querySelectorAll(selector)],
    box: find('.den'),
    model: makeModel(meta, arrays),
    respond: makeResponse(meta.k),
    squares: Object.fromEntries(IMAGES.map((name) => [name, find(`[data-image=${name}]`)])),
    panels: Object.fromEntries(['filter', 'response'].map((name) => [name, find(`[data-panel=${name}]`)])),
    held: startHeld(meta, command),
    lit: {},
    likes: new Map(),
    hovering: false,
    frame: 0,
  };
  app.state = stateOf(app.model, app.held.state);
  app.request = () => { app.frame ||= requestAnimationFrame(() => drawFrame(app)); };
  return app;
}

/** The probes to show: two pins, a pin against the pointer, a pin, or the pointer alone. */
function probesOf(app) {
  const {pins, cursor} = app.held;
  const pinned = pins.map((pixel, i) => ({pixel, letter: 'AB'[i]}));
  const compared = pins.length === 1 && !samePixel(pins[0], cursor);
  const shown = pins.length === 0 || compared ? [...pinned, {pixel: cursor, letter: ''}] : pinned;
  return shown.map((probe) => {
    const at = effectiveAt(app.model, app.state, pixelIndex(app, probe.pixel));
    return {...probe, ...at, like: likeOf(app, at.id)};
  });
}

/** Light a unit's pixels, or those of the first probe; the second lights the denoised image. */
function lightProbes(app) {
  const {held: {path, state}, probes: [first, second]} = app;
  const look = `${state}/${app.roles.hand}/`;
  if (path >= 0) {
    light(app, 'noisy', `${look}unit ${path}`, (pixel) => 2 * isActive(app.state, pixel, path));
  } else lightLike(app, 'noisy', look, first);
  if (second && path < 0) lightLike(app, 'denoised', look, second);
  else light(app, 'denoised', '', null);
}

function lightLike(app, name, look, probe) {
  const {ids} = app.state;
  const {level} = probe.like;
  light(app, name, look + probe.id, (pixel) => level[ids[pixel]]);
}

/** The patterns like that of a pixel; the last few are kept, since a probe rests. */
function likeOf(app, id) {
  const {held: {state}, likes} = app;
  const key = `${state}/${id}`;
  if (!likes.has(key)) {
    if (likes.size > 8) likes.clear();
    likes.set(key, likePatterns(app.model, app.state, id));
  }
  return likes.get(key);
}

/** Everything that follows the hand; one call a frame. */
function drawFrame(app) {
  const started = performance.now();
  app.frame = 0;
  app.probes = probesOf(app);
  lightProbes(app);
  drawOverlays(app);
  drawPanels(app);
  drawStrip(app);
  writeWords(app);
  app.box.dataset.frameMs = (performance.now() - started).toFixed(2);
}

/** Another weight decay: images, certificate, slider, then whatever the probe shows. */
function showState(app, index) {
  const started = performance.now();
  app.held.state = index;
  app.state = stateOf(app.model, index);
  app.held.path = -1;
  app.tiles = [];
  paintState(app);
  writeCaptions(app);
  writeSlider(app);
  writeCertificate(app);
  app.request();
  app.box.dataset.stateMs = (performance.now() - started).toFixed(2);
}

/** Everything, in the colours and the size that hold now. */
function drawAll(app) {
  app.roles = readRoles(app.root);
  app.tables = {
    sequential: colourTable(app.roles.sequential),
    diverging: colourTable(app.roles.diverging),
    grey: colourTable([[0, 0, 0], [255, 255, 255]]),
  };
  app.lit = {};
  app.stripKey = null;
  paintFixed(app);
  showState(app, app.held.state);
  applyZoom(app);
  cancelAnimationFrame(app.frame);
  drawFrame(app);
}

/** An order from the page (a link, a story card): go there. */
function obey(app, command) {
  Object.assign(app.held, within(app.meta, command), {older: 0});
  if (app.held.pins.length) [app.held.cursor] = app.held.pins;
  drawAll(app);
}

/** What was reported last must be what is shown, or a later move back to it would be no news. */
function reportOrdered(app, before) {
  const {state, pins} = app.held;
  if (state !== before.state) app.report('state', state);
  if (JSON.stringify(pins) !== JSON.stringify(before.pins)) app.report('pins', pins);
}

/** Group the pixels of the other states while nothing happens, so that no drag waits for it. */
function prepareStates(app) {
  const next = app.meta.states.findIndex((_, index) => !app.model.states[index]);
  if (next < 0) return;
  const later = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
  later(() => {
    stateOf(app.model, next);
    if (app.root.__app === app) prepareStates(app);
  });
}

function startApp(root, bytes, header, end, command) {
  const app = makeApp(root, {...header, arrays: readArrays(bytes, header, end)}, command);
  const box = app.box.querySelector('[data-image=clean]');
  app.view = {z: 1, cx: app.meta.w / 2, cy: app.meta.h / 2};
  box.parentElement.dataset.ready = 'true';
  attachSlider(app);
  attachHand(app);
  attachStrip(app);
  attachQuiz(app);
  drawAll(app);
  return app;
}

export default function ({parentElement: root, data, setStateValue}) {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  const {header: command, end: start} = readHeader(bytes);
  const {header, end} = readHeader(bytes, start);
  let app = root.__app;
  const before = app && {...app.held};
  const ordered = app?.serial !== command.serial;
  if (app?.meta.id !== header.id) {
    app = root.__app = startApp(root, bytes, header, end, command);
    prepareStates(app);
  } else if (ordered) obey(app, command);
  app.serial = command.serial;
  app.report = setStateValue;
  if (before && ordered) reportOrdered(app, before);
  const stop = watchLook(root, () => drawAll(app));
  return () => {
    stop();
    cancelAnimationFrame(app.frame);
    app.frame = 0;
  };
}

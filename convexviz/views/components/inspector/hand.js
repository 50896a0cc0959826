// Pointer, touch and keyboard on the images; pins and zoom.

function samePixel(a, b) {
  return a[0] === b[0] && a[1] === b[1];
}

function pixelIndex(app, [row, column]) {
  return row * app.meta.w + column;
}

/** Hold a pixel as A or B; a third replaces the older. */
function pinPixel(app, pixel) {
  const {pins} = app.held;
  if (pins.some((pin) => samePixel(pin, pixel))) return;
  if (pins.length < 2) app.held.pins = [...pins, pixel];
  else {
    const older = app.held.older ?? 0;
    app.held.pins = pins.map((pin, i) => (i === older ? pixel : pin));
    app.held.older = 1 - older;
  }
  app.report('pins', app.held.pins);
  app.request();
}

function setPins(app, pins) {
  app.held.pins = pins;
  app.held.older = 0;
  app.report('pins', pins);
  app.request();
}

function moveProbe(app, pixel) {
  app.held.cursor = pixel;
  app.held.path = -1;
  app.request();
}

function attachHand(app) {
  for (const square of Object.values(app.squares)) {
    attachPointer(app, square);
    square.onkeydown = (event) => pressKey(app, square, event);
    square.ondblclick = (event) => doubleClick(app, event);
    square.addEventListener('wheel', (event) => turnWheel(app, square, event), {passive: false});
  }
  app.findAll('.zoom button').forEach((button) => {
    for (const name of ['click', 'dblclick', 'pointerdown', 'pointerup', 'keydown']) {
      button.addEventListener(name, (event) => event.stopPropagation());
    }
    const act = {in: () => zoomAtProbe(app, 1.5), out: () => zoomAtProbe(app, 1 / 1.5), reset: () => resetZoom(app)};
    button.addEventListener('click', () => {
      act[button.dataset.zoom]();
      app.request();
    });
  });
  app.find('.hold').onclick = () => {
    const {pins, cursor} = app.held;
    if (pins.some((pin) => samePixel(pin, cursor))) setPins(app, pins.filter((pin) => !samePixel(pin, cursor)));
    else pinPixel(app, cursor);
  };
}

/** Hover probes, a click pins, a drag pans where there is something to pan; a tap probes. */
function attachPointer(app, square) {
  let from = null;
  square.onpointerdown = (event) => {
    from = {x: event.clientX, y: event.clientY, dragged: false};
  };
  square.onpointermove = (event) => {
    app.hovering = true;
    if (!from || !event.buttons) {
      if (event.pointerType === 'mouse') moveProbe(app, pixelUnder(app, square, event));
      return;
    }
    const far = Math.hypot(event.clientX - from.x, event.clientY - from.y) > 4;
    if (!from.dragged && !far) return;
    if (!from.dragged) square.setPointerCapture(event.pointerId);
    from.dragged = true;
    if (app.view.z > 1) {
      panBy(app, square.clientWidth, event.clientX - from.x, event.clientY - from.y);
      Object.assign(from, {x: event.clientX, y: event.clientY});
      app.request();
    } else moveProbe(app, pixelUnder(app, square, event));
  };
  square.onpointerup = (event) => {
    const press = from;
    from = null;
    if (!press || press.dragged) return;
    const pixel = pixelUnder(app, square, event);
    moveProbe(app, pixel);
    if (event.pointerType === 'mouse') clickPin(app, pixel, event);
  };
  square.onpointercancel = () => { from = null; };
  square.onpointerleave = (event) => {
    // A finger leaves with every tap: where it was is still what it chose.
    if (event.pointerType !== 'mouse') return;
    app.hovering = false;
    if (app.held.pins.length === 1) app.held.cursor = app.held.pins[0];
    app.request();
  };
}

/** The second click of a double click pins nothing, and what the first pinned is undone. */
function clickPin(app, pixel, {clientX: x, clientY: y}) {
  const {click} = app;
  const time = performance.now();
  const second = click && time - click.time < 500 && Math.hypot(x - click.x, y - click.y) < 6;
  if (second && app.view.z > 1) return;
  app.click = {pins: app.held.pins, time, x, y};
  pinPixel(app, pixel);
}

function doubleClick(app, event) {
  if (event.target.closest('.zoom') || app.view.z === 1) return;
  if (app.click && performance.now() - app.click.time < 1000) setPins(app, app.click.pins);
  resetZoom(app);
  app.request();
}

/** The page scrolls until an image has been clicked or focused; then the wheel zooms. */
function turnWheel(app, square, event) {
  const focused = square.matches(':focus') || event.ctrlKey;
  const pointless = event.deltaY > 0 && app.view.z === 1;
  if (!focused || (pointless && !event.ctrlKey)) return;
  event.preventDefault();
  const box = square.getBoundingClientRect();
  const size = pixelSize(app, box.width);
  const x = app.view.cx + (event.clientX - box.left - box.width / 2) / size;
  const y = app.view.cy + (event.clientY - box.top - box.height / 2) / size;
  const lines = event.deltaMode === 1 ? 30 : 1;
  zoomBy(app, Math.exp(-0.002 * lines * event.deltaY), [x, y]);
  app.request();
}

/** Zoom towards the probe and bring it into view. */
function zoomAtProbe(app, factor) {
  const [row, column] = app.held.cursor;
  if (app.view.z === 1 && factor > 1) Object.assign(app.view, {cx: column + 0.5, cy: row + 0.5});
  zoomBy(app, factor);
}

const STEPS = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};

function pressKey(app, square, event) {
  if (event.altKey || event.metaKey || event.ctrlKey) return;
  const {cursor} = app.held;
  const step = STEPS[event.key];
  const acts = {
    Enter: () => pinPixel(app, cursor),
    ' ': () => pinPixel(app, cursor),
    Escape: () => setPins(app, []),
    Home: () => walkTo(app, [cursor[0], 0]),
    End: () => walkTo(app, [cursor[0], app.meta.w - 1]),
    '+': () => zoomAtProbe(app, 1.5),
    '=': () => zoomAtProbe(app, 1.5),
    '-': () => zoomAtProbe(app, 1 / 1.5),
    0: () => resetZoom(app),
  };
  const size = event.shiftKey ? 8 : 1;
  const act = step ? () => walkTo(app, [cursor[0] + step[0] * size, cursor[1] + step[1] * size]) : acts[event.key];
  if (!act) return;
  event.preventDefault();
  act();
  app.request();
}

function walkTo(app, pixel) {
  const inside = clampPixel(app, pixel);
  moveProbe(app, inside);
  if (app.view.z > 1) keepInView(app, inside);
}

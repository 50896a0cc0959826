// Mouse, finger and keyboard on a plane of points.

const round3 = (value) => Math.round(value * 1000) / 1000;

function insidePlane(panel, [x, y]) {
  const [x0, x1, y0, y1] = panel.spec.extent;
  return [round3(Math.max(x0, Math.min(x1, x))), round3(Math.max(y0, Math.min(y1, y)))];
}

/** The nearest point within reach of the hand, or -1. */
function pointNear(panel, px, py, reach) {
  let [best, nearest] = [-1, reach];
  planePoints(panel).forEach((point, i) => {
    const [x, y] = panel.scale.to(point);
    const distance = Math.hypot(x - px, y - py);
    if (distance < nearest) [best, nearest] = [i, distance];
  });
  return best;
}

function changePoints(panel, points, options) {
  const {variable, live = 0} = panel.spec.points;
  setValue(panel.app, variable, points, {live, ...options});
}

function movePoint(panel, index, place, options) {
  const points = planePoints(panel).map((point, i) => (
    i === index ? [...insidePlane(panel, place), point[2] ?? 0] : point));
  changePoints(panel, points, options);
}

function addPoint(panel, place) {
  const points = planePoints(panel);
  if (points.length >= (panel.spec.points.most ?? 60)) {
    sayPlane(panel, `No more than ${panel.spec.points.most ?? 60} points.`);
    return;
  }
  panel.held = points.length;
  changePoints(panel, [...points, [...insidePlane(panel, place), panel.chosenClass]]);
  sayPoint(panel);
}

function removePoint(panel, index = panel.held) {
  const points = planePoints(panel);
  if (index < 0 || points.length <= (panel.spec.points.fewest ?? 1)) return;
  panel.held = -1;
  changePoints(panel, points.filter((_, i) => i !== index));
  sayPlane(panel, `Removed; ${points.length - 1} points.`);
}

function setPlaneClass(panel, index) {
  panel.chosenClass = index;
  if (panel.held >= 0) {
    const points = planePoints(panel).map((point, i) => (
      i === panel.held ? [point[0], point[1], index] : point));
    changePoints(panel, points);
    sayPoint(panel);
  } else requestDraw(panel.app, [panel.spec.points.variable]);
}

function sayPlane(panel, words) {
  panel.said.textContent = words;
}

function sayPoint(panel) {
  const point = planePoints(panel)[panel.held];
  if (!point) return;
  const {classes = 1, labels = []} = panel.spec.points;
  const kind = classes > 1 ? `, ${labels[point[2]] ?? `class ${point[2] + 1}`}` : '';
  sayPlane(panel, `Point ${panel.held + 1} of ${planePoints(panel).length}${kind}, `
    + `at ${formatSigned(point[0])}, ${formatSigned(point[1])}.`);
}

function attachPlane(app, panel) {
  const {canvas} = panel;
  const editable = () => panel.spec.points?.editable;
  const redraw = () => requestDraw(app, [panel.spec.points?.variable ?? panel.spec.watch?.[0]]);
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  let press = null;
  canvas.onpointerdown = (event) => {
    if (!editable() || event.button > 0) return;
    const [px, py] = place(event);
    const reach = (event.pointerType === 'mouse' ? 14 : 26) * app.roles.k;
    const index = pointNear(panel, px, py, reach);
    press = {px, py, index, dragged: false};
    panel.held = index;
    if (index >= 0) canvas.setPointerCapture(event.pointerId);
    redraw();
  };
  canvas.onpointermove = (event) => {
    const [px, py] = place(event);
    if (!press || press.index < 0) {
      if (event.pointerType === 'mouse') hoverPlane(panel, px, py);
      return;
    }
    if (!press.dragged && Math.hypot(px - press.px, py - press.py) < 3) return;
    press.dragged = true;
    movePoint(panel, press.index, panel.scale.of(px, py), {final: false});
  };
  canvas.onpointerup = (event) => {
    const ended = press;
    press = null;
    if (!ended) return;
    const [px, py] = place(event);
    if (ended.dragged) {
      movePoint(panel, ended.index, panel.scale.of(px, py));
      sayPoint(panel);
    } else if (ended.index < 0 && Math.hypot(px - ended.px, py - ended.py) < 4) {
      addPoint(panel, panel.scale.of(px, py));
    } else sayPoint(panel);
  };
  canvas.onpointercancel = () => { press = null; };
  canvas.onpointerleave = () => hoverPlane(panel, null);
  canvas.oncontextmenu = (event) => {
    const index = editable() ? pointNear(panel, ...place(event), 14 * app.roles.k) : -1;
    if (index < 0) return;
    event.preventDefault();
    removePoint(panel, index);
  };
  canvas.onkeydown = (event) => pressPlaneKey(panel, event, redraw);
}

const PLANE_STEPS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]};

function pressPlaneKey(panel, event, redraw) {
  if (!panel.spec.points?.editable || event.altKey || event.metaKey || event.ctrlKey) return;
  const points = planePoints(panel);
  const [x0, x1, y0, y1] = panel.spec.extent;
  const choose = (step) => {
    panel.held = panel.held < 0 && step < 0 ? points.length - 1
      : (panel.held + step + points.length) % points.length;
    sayPoint(panel);
    redraw();
  };
  const step = PLANE_STEPS[event.key];
  const acts = {
    n: () => choose(1),
    p: () => choose(-1),
    Enter: () => {
      const [x, y] = points[panel.held] ?? [(x0 + x1) / 2, (y0 + y1) / 2];
      addPoint(panel, [x + 0.04 * (x1 - x0), y + 0.04 * (y1 - y0)]);
    },
    Delete: () => removePoint(panel),
    Backspace: () => removePoint(panel),
    Escape: () => {
      panel.held = -1;
      sayPlane(panel, 'No point is held.');
      redraw();
    },
  };
  const size = (event.shiftKey ? 0.05 : 0.01) * (x1 - x0);
  let act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (step && panel.held >= 0) {
    act = () => {
      const [x, y] = points[panel.held];
      movePoint(panel, panel.held, [x + step[0] * size, y + step[1] * size]);
      sayPoint(panel);
    };
  }
  const digit = Number(event.key);
  if (digit >= 1 && digit <= (panel.spec.points.classes ?? 1)) act = () => setPlaneClass(panel, digit - 1);
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  act();
}

/** What is under the pointer: the wedge of a fan, which lights the points that are on in it. */
function hoverPlane(panel, px, py) {
  const before = panel.hover;
  panel.hover = null;
  panel.lit = null;
  let words = panel.spec.note ?? '';
  if (px !== null && panel.scale) {
    const [x, y] = panel.scale.of(px, py);
    const fan = layersNow(panel).find((layer) => layer.type === 'fan');
    if (fan) {
      panel.hover = wedgeAt(fan, x, y);
      const [a, b] = wedgeEnds(fan.angles, panel.hover);
      const u = [Math.cos((a + b) / 2), Math.sin((a + b) / 2)];
      panel.lit = (point) => point[0] * u[0] + point[1] * u[1] >= 0;
      const count = planePoints(panel).filter(panel.lit).length;
      words = `${count} of ${planePoints(panel).length} points are on in this cell`;
    } else if (panel.spec.readout) words = `${formatSigned(x)}, ${formatSigned(y)}`;
  }
  noteOf(panel, words);
  if (panel.hover !== before) requestDraw(panel.app, panel.watch());
}

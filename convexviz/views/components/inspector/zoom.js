// One zoom for all four images: `view` holds the scale and the image point in the middle.
const ZOOM_MAX = 16;

function resetZoom(app) {
  app.view = {z: 1, cx: app.meta.w / 2, cy: app.meta.h / 2};
  applyZoom(app);
}

/** Screen pixels a pixel of the image takes. */
function pixelSize(app, side) {
  return (side / Math.max(app.meta.w, app.meta.h)) * app.view.z;
}

function toScreen(app, side, x, y) {
  const size = pixelSize(app, side);
  return [side / 2 + (x - app.view.cx) * size, side / 2 + (y - app.view.cy) * size];
}

/** Image pixel under a pointer event, clamped into the image: [row, column]. */
function pixelUnder(app, square, event) {
  const box = square.getBoundingClientRect();
  const size = pixelSize(app, box.width);
  const x = app.view.cx + (event.clientX - box.left - box.width / 2) / size;
  const y = app.view.cy + (event.clientY - box.top - box.height / 2) / size;
  return clampPixel(app, [Math.floor(y), Math.floor(x)]);
}

function clampPixel(app, [row, column]) {
  const clamp = (value, top) => Math.max(0, Math.min(top, value));
  return [clamp(row, app.meta.h - 1), clamp(column, app.meta.w - 1)];
}

/** Scale by `factor` and keep the image point `at` = [x, y] where it is on screen. */
function zoomBy(app, factor, at = [app.view.cx, app.view.cy]) {
  const z = Math.max(1, Math.min(ZOOM_MAX, app.view.z * factor));
  const ratio = app.view.z / z;
  const [x, y] = at;
  app.view = {z, cx: x + (app.view.cx - x) * ratio, cy: y + (app.view.cy - y) * ratio};
  applyZoom(app);
}

function panBy(app, side, dx, dy) {
  const size = pixelSize(app, side);
  app.view = {...app.view, cx: app.view.cx - dx / size, cy: app.view.cy - dy / size};
  applyZoom(app);
}

/** Move the view just enough to hold a pixel that the keyboard went to. */
function keepInView(app, [row, column]) {
  const half = Math.max(app.meta.w, app.meta.h) / (2 * app.view.z) - 1;
  const follow = (centre, at) => Math.max(at - half, Math.min(at + half, centre));
  app.view = {...app.view, cx: follow(app.view.cx, column), cy: follow(app.view.cy, row)};
  applyZoom(app);
}

function applyZoom(app) {
  const {w, h} = app.meta;
  const half = Math.max(w, h) / (2 * app.view.z);
  const hold = (c, length) => (length <= 2 * half ? length / 2 : Math.max(half, Math.min(length - half, c)));
  app.view.cx = hold(app.view.cx, w);
  app.view.cy = hold(app.view.cy, h);
  for (const square of Object.values(app.squares)) {
    const side = square.clientWidth;
    const [x, y] = toScreen(app, side, 0, 0);
    const size = pixelSize(app, side);
    const view = square.querySelector('.view');
    view.style.width = `${w}px`;
    view.style.height = `${h}px`;
    view.style.transform = `translate(${x}px, ${y}px) scale(${size})`;
    view.classList.toggle('crisp', size >= 3);
    square.classList.toggle('zoomed', app.view.z > 1);
  }
  app.box.classList.toggle('zoomed', app.view.z > 1);
  app.find('[data-zoom=reset]').textContent = `${Number(app.view.z.toFixed(1))}×`;
}

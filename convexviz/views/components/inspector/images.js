// The four images, the pixels that are lit, and what is drawn over them.

/** Clean and noisy once a payload; denoised and error once a state. */
function paintFixed(app) {
  paintGrey(app, 'clean', app.arrays.clean);
  paintGrey(app, 'noisy', app.arrays.noisy);
}

function paintState(app) {
  paintGrey(app, 'denoised', app.state.out);
  paintError(app);
}

function imageCanvas(app, name, layer = 'px') {
  const canvas = app.squares[name].querySelector(`canvas.${layer}`);
  const {w, h} = app.meta;
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, {width: w, height: h});
  return canvas;
}

function bufferCells(app) {
  app.buffer ??= new ImageData(app.meta.w, app.meta.h);
  return new Uint32Array(app.buffer.data.buffer);
}

/** Write packed colours, one a pixel, through a buffer that all images share. */
function paintPixels(app, canvas, colourAt) {
  const cells = bufferCells(app);
  for (let i = 0; i < cells.length; i++) cells[i] = colourAt(i);
  canvas.getContext('2d').putImageData(app.buffer, 0, 0);
}

function paintGrey(app, name, values) {
  const {low, high} = app.meta;
  const [black, white] = app.meta.show ?? [low, high];
  const greys = Uint32Array.from({length: 256}, (_, i) => packedColour([i, i, i]));
  const slope = ((255 / 65535) * (high - low)) / (white - black);
  const shift = (255 * (low - black)) / (white - black) + 0.5;
  const level = (value) => Math.max(0, Math.min(255, Math.floor(value * slope + shift)));
  paintPixels(app, imageCanvas(app, name), (i) => greys[level(values[i])]);
}

function paintError(app) {
  const {low, high, error_range: range} = app.meta;
  const {clean} = app.arrays;
  const {out} = app.state;
  const table = colourTable(app.roles.diverging);
  const slope = (((high - low) / 65535) * 127.5) / range;
  const level = (d) => Math.max(0, Math.min(255, Math.round(127.5 + d * slope)));
  paintPixels(app, imageCanvas(app, 'error'), (i) => table[level(out[i] - clean[i])]);
}

const FEW = 600;

/**
 * Amber where `levelAt` is 2, pale where it is 1; the rest of the image steps back. A handful
 * of pixels would be lost at this size: those are listed, and drawn larger over the image.
 */
function light(app, name, key, levelAt) {
  if (app.lit[name]?.key === key) return;
  const canvas = imageCanvas(app, name, 'lit');
  const few = [];
  app.lit[name] = {key, few};
  canvas.hidden = !levelAt;
  if (!levelAt) return;
  const amber = rgbOf(app.roles.hand);
  const colours = [packedColour([0, 0, 0], 120), packedColour(amber, 115), packedColour(amber)];
  const cells = bufferCells(app);
  for (let i = 0; i < cells.length; i++) {
    const level = levelAt(i);
    cells[i] = colours[level];
    if (level === 2 && few.length <= FEW) few.push(i);
  }
  if (few.length > FEW) few.length = 0;
  canvas.getContext('2d').putImageData(app.buffer, 0, 0);
}

function drawFew(app, context, side, few) {
  const size = pixelSize(app, side);
  const shown = Math.max(size, 2.5 * app.roles.k);
  context.fillStyle = app.roles.hand;
  for (const pixel of few) {
    const [x, y] = toScreen(app, side, (pixel % app.meta.w) + 0.5, Math.floor(pixel / app.meta.w) + 0.5);
    context.fillRect(x - shown / 2, y - shown / 2, shown, shown);
  }
}

/** Frames of the probes, the hairline of the held-out half, the quiz's question mark. */
function drawOverlays(app) {
  for (const [name, square] of Object.entries(app.squares)) {
    const [context, side] = fitCanvas(square.querySelector('canvas.over'));
    if (app.lit[name]?.few.length) drawFew(app, context, side, app.lit[name].few);
    if (app.meta.split !== null && app.meta.split !== undefined) {
      drawSplit(app, context, side, name === 'clean');
    }
    const {quiz} = app.meta;
    if (quiz && !app.held.quiz.told) drawProbe(app, context, side, quiz.pixel, '?', true);
    for (const probe of app.probes) drawProbe(app, context, side, probe.pixel, probe.letter);
    if (app.held.pins.length === 2 && app.hovering) drawCursor(app, context, side);
  }
}

/** A k x k frame round a pixel, with its letter; `dashed` where nothing is held. */
function drawProbe(app, context, side, [row, column], letter, dashed = false) {
  const {k} = app.meta;
  const half = Math.floor(k / 2);
  const [x, y] = toScreen(app, side, column - half, row - half);
  const edge = Math.max(7 * app.roles.k, k * pixelSize(app, side)) + 4;
  const inset = (edge - k * pixelSize(app, side)) / 2;
  drawHandRect(context, x - inset, y - inset, edge, edge, app.roles, dashed ? [3, 3] : []);
  if (!letter) return;
  const size = 0.8125 * app.roles.rem;
  const right = x - inset + edge + 4;
  const beside = right + size > side ? x - inset - 4 - size : right;
  drawText(context, letter, beside, y - inset + size * 0.8, {
    fill: '#fff', size, weight: 700, font: app.roles.font, halo: 'rgba(0,0,0,.8)',
  });
}

function drawCursor(app, context, side) {
  const [row, column] = app.held.cursor;
  const [x, y] = toScreen(app, side, column + 0.5, row + 0.5);
  const arm = 7 * app.roles.k;
  for (const [width, colour] of [[4, 'rgba(0,0,0,.75)'], [1.5, app.roles.hand]]) {
    context.lineWidth = width * app.roles.k;
    context.strokeStyle = colour;
    context.beginPath();
    context.moveTo(x - arm, y);
    context.lineTo(x + arm, y);
    context.moveTo(x, y - arm);
    context.lineTo(x, y + arm);
    context.stroke();
  }
}

/** The network saw one side of the line in training; the other is new to it. */
function drawSplit(app, context, side, named) {
  const {split, w, h} = app.meta;
  const [x, top] = toScreen(app, side, split, 0);
  const [, bottom] = toScreen(app, side, split, h);
  const [start, end] = [Math.max(0, top), Math.min(side, bottom)];
  context.fillStyle = 'rgba(0,0,0,.55)';
  context.fillRect(x - 1, start, 3, end - start);
  context.fillStyle = 'rgba(255,255,255,.85)';
  context.fillRect(x, start, 1, end - start);
  if (!named || x < 0 || x > side) return;
  const size = 0.75 * app.roles.rem;
  const [left] = toScreen(app, side, 0, 0);
  const [right] = toScreen(app, side, w, 0);
  const long = Math.min(x - left, right - x) > 9.5 * size;
  const style = {fill: '#fff', size, weight: 500, font: app.roles.font, halo: 'rgba(0,0,0,.7)'};
  const y = start + 1.4 * size;
  drawText(context, long ? 'trained on this half' : 'trained', x - 6, y, {...style, align: 'right'});
  drawText(context, 'never seen', x + 7, y, style);
}

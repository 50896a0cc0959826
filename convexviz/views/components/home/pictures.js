// The small moving pictures of the cards: one idea each, in 7 to 15 seconds.

/** A grey image as a canvas to draw from. */
function greyCanvas(values, w, h) {
  const canvas = document.createElement('canvas');
  const grey = colourTable([[0, 0, 0], [255, 255, 255]]);
  drawHeat(canvas, values, w, h, grey, 0, 255);
  return canvas;
}

/** A denoised picture, the hand walking over it, and the filter that each pixel chooses. */
function walkPicture(meta, arrays) {
  const {h, w, k, path} = meta.walk;
  const image = greyCanvas(arrays.walk_image, w, h);
  const tile = document.createElement('canvas');
  return (canvas, seconds, roles) => {
    const [context, width, height] = fitCanvas(canvas);
    const step = Math.floor(seconds * 10) % path.length;
    const scale = Math.max(width / w, height / h);
    const [left, top] = [(width - w * scale) / 2, (height - h * scale) * 0.4];
    context.imageSmoothingEnabled = true;
    context.drawImage(image, left, top, w * scale, h * scale);
    const [row, column] = path[step];
    const edge = Math.max(k * scale, 14 * roles.k);
    const [x, y] = [left + (column + 0.5) * scale, top + (row + 0.5) * scale];
    const side = Math.min(height * 0.42, width * 0.34);
    const [fx, fy] = [width - side - 12 * roles.k, height - side - 12 * roles.k];
    drawLines(context, [x + edge / 2, y + edge / 2], [fx, fy, side], roles);
    drawHandRect(context, x - edge / 2, y - edge / 2, edge, edge, roles);
    const filter = arrays.walk_filters.subarray(step * k * k, (step + 1) * k * k);
    const range = filter.reduce((top_, value) => Math.max(top_, Math.abs(value)), 0) || 1;
    drawHeat(tile, filter, k, k, colourTable(roles.diverging), -range, range);
    context.imageSmoothingEnabled = false;
    context.drawImage(tile, fx, fy, side, side);
    drawHandRect(context, fx, fy, side, side, roles);
  };
}

function drawLines(context, [x, y], [fx, fy, side], roles) {
  Object.assign(context, {lineWidth: roles.k, strokeStyle: withAlpha(roles.hand, 0.8)});
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(fx, fy);
  context.moveTo(x, y);
  context.lineTo(fx, fy + side);
  context.stroke();
}

/** A convex value that comes down to its bound: the mark, moving. */
function bowlPicture() {
  return (canvas, seconds, roles) => {
    const [context, width, height] = fitCanvas(canvas);
    const at = (t) => [width * (0.12 + 0.76 * t), height * (0.78 - 0.6 * (2 * t - 1) ** 2)];
    Object.assign(context, {lineCap: 'round', lineWidth: 3 * roles.k, strokeStyle: roles.convex});
    context.beginPath();
    for (let i = 0; i <= 60; i++) context.lineTo(...at(i / 60));
    context.stroke();
    const progress = Math.min(1, (seconds % 8) / 5);
    const settle = Math.exp(-5 * progress);
    const bound = height * (0.78 + 0.14 * settle) + 10 * roles.k;
    context.setLineDash([7 * roles.k, 5 * roles.k]);
    context.strokeStyle = roles.bound;
    context.beginPath();
    context.moveTo(width * 0.1, bound);
    context.lineTo(width * 0.9, bound);
    context.stroke();
    context.setLineDash([]);
    const [x, y] = at(0.5 - 0.42 * settle * Math.cos(9 * progress));
    context.beginPath();
    context.arc(x, y, 8 * roles.k, 0, 7);
    Object.assign(context, {fillStyle: roles.hand, strokeStyle: roles.ink, lineWidth: 1.5 * roles.k});
    context.fill();
    context.stroke();
  };
}

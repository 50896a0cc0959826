// Canvas drawing that every component needs.

/** Heat map of a w x h array between `low` and `high`, one canvas pixel a cell. */
function drawHeat(canvas, array, w, h, table, low, high) {
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, {width: w, height: h});
  const context = canvas.getContext('2d');
  const picture = new ImageData(w, h);
  const cells = new Uint32Array(picture.data.buffer);
  const scale = 255 / (high - low || 1);
  for (let i = 0; i < w * h; i++) {
    cells[i] = table[Math.max(0, Math.min(255, Math.round((array[i] - low) * scale)))];
  }
  context.putImageData(picture, 0, 0);
}

/** Fit a canvas's pixels to its size on screen, clear it: [context, width, height] in CSS px. */
function fitCanvas(canvas, height = canvas.clientHeight) {
  const width = canvas.clientWidth || canvas.parentElement.clientWidth;
  const ratio = Math.max(1, window.devicePixelRatio || 1);
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, {width: w, height: h});
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return [context, width, height];
}

/** Text, optionally with a halo of the surface so that it stays legible over anything. */
function drawText(context, words, x, y, options) {
  const {fill, size = 12, weight = 400, align = 'left', base = 'alphabetic', font, halo} = options;
  context.font = `${weight} ${size}px ${font}`;
  context.textAlign = align;
  context.textBaseline = base;
  if (halo) {
    Object.assign(context, {lineWidth: 4, lineJoin: 'round', strokeStyle: halo});
    context.strokeText(words, x, y);
  }
  context.fillStyle = fill;
  context.fillText(words, x, y);
}

/** A rectangle in the hand's amber with a dark rim: legible on black and on white. */
function drawHandRect(context, x, y, w, h, roles, dash = []) {
  context.setLineDash([]);
  context.lineWidth = 4.5 * roles.k;
  context.strokeStyle = 'rgba(0,0,0,.75)';
  context.strokeRect(x, y, w, h);
  context.setLineDash(dash);
  context.lineWidth = 2 * roles.k;
  context.strokeStyle = roles.hand;
  context.strokeRect(x, y, w, h);
  context.setLineDash([]);
}

function prefersStill() {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}

/** Call `draw` whenever size, theme, fonts or root font size change; returns how to stop. */
function watchLook(root, draw) {
  const host = root.host || root;
  const redraw = () => { if (host.isConnected) draw(); };
  const signature = () => {
    const style = getComputedStyle(host);
    return style.getPropertyValue('--st-background-color')
      + style.getPropertyValue('--st-text-color')
      + getComputedStyle(document.documentElement).fontSize;
  };
  let last = signature();
  const observer = new ResizeObserver(redraw);
  observer.observe(root.querySelector('.cx'));
  // Streamlit changes the variables without an event.
  const poll = setInterval(() => {
    const now = signature();
    if (host.isConnected && now !== last) {
      last = now;
      draw();
    }
  }, 300);
  document.fonts?.ready?.then(redraw);
  return () => {
    observer.disconnect();
    clearInterval(poll);
  };
}

// A face out of a texture on the mean shape and the field that pulls it there (datasets/warped.py).

const TURNS = 5;  // of the fixed point that inverts the field

/** A place on a grid of `size`, clamped: the lower neighbour, and the share of the upper one. */
function placeOn(value, size) {
  const at = Math.min(Math.max(value, 0), size - 1);
  const low = Math.min(Math.floor(at), size - 2);
  return [low, at - low];
}

/** The way back on the field's own grid, g(p) = -f(p + g(p)): y and x of every cell. */
function invertField(sum, {texture, field, unit}) {
  const from = 3 * texture * texture;
  const step = texture / field;
  const back = new Float32Array(2 * field * field);
  for (let y = 0, q = 0; y < field; y++) {
    for (let x = 0; x < field; x++, q += 2) {
      let [gy, gx] = [0, 0];
      for (let turn = 0; turn < TURNS; turn++) {
        const atY = Math.min(Math.max(y + gy / step, 0), field - 1);
        const atX = Math.min(Math.max(x + gx / step, 0), field - 1);
        const top = Math.min(Math.floor(atY), field - 2);
        const left = Math.min(Math.floor(atX), field - 2);
        const [down, right] = [atY - top, atX - left];
        const p = from + 2 * (top * field + left);
        const r = p + 2 * field;
        const [a, b, c, d] = [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right];
        gy = -(a * sum[p] + b * sum[p + 2] + c * sum[r] + d * sum[r + 2]) / unit;
        gx = -(a * sum[p + 1] + b * sum[p + 3] + c * sum[r + 1] + d * sum[r + 3]) / unit;
      }
      back[q] = gy;
      back[q + 1] = gx;
    }
  }
  return back;
}

/** Every pixel from where the face was pulled from, into the bytes of a picture. */
function warpTexture(data, sum, warp) {
  const {texture, field} = warp;
  const back = invertField(sum, warp);
  const most = texture - 1;
  const columns = Array.from({length: texture}, (_, x) => placeOn(((x + 0.5) * field) / texture - 0.5, field));
  for (let y = 0, p = 0; y < texture; y++) {
    const [row, low] = columns[y];
    for (let x = 0; x < texture; x++, p += 4) {
      const [column, share] = columns[x];
      const q = 2 * (row * field + column);
      const r = q + 2 * field;
      const a = (1 - low) * (1 - share);
      const b = (1 - low) * share;
      const c = low * (1 - share);
      const d = low * share;
      const atY = Math.min(Math.max(y + a * back[q] + b * back[q + 2] + c * back[r] + d * back[r + 2], 0), most);
      const atX = Math.min(Math.max(x + a * back[q + 1] + b * back[q + 3] + c * back[r + 1] + d * back[r + 3], 0), most);
      const top = Math.min(Math.floor(atY), most - 1);
      const left = Math.min(Math.floor(atX), most - 1);
      const down = atY - top;
      const right = atX - left;
      const s = 3 * (top * texture + left);
      const t = s + 3 * texture;
      for (let i = 0; i < 3; i++) {
        const above = sum[s + i] + right * (sum[s + 3 + i] - sum[s + i]);
        const below = sum[t + i] + right * (sum[t + 3 + i] - sum[t + i]);
        data[p + i] = above + down * (below - above);
      }
      data[p + 3] = 255;
    }
  }
}

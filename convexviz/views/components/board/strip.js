// Stored colour pictures in a row, and the buttons that draw anew and sweep.

function stripPanel(app, panel) {
  const grid = document.createElement('div');
  grid.className = 'b-grid';
  panel.box.append(grid);
  const draw = () => {
    const {spec, arrays: {pixels}} = panel;
    grid.style.setProperty('--across', spec.across);
    grid.style.setProperty('--across-phone', spec.acrossPhone);
    if (panel.painted === pixels) return;
    panel.painted = pixels;
    grid.replaceChildren();
    let from = 0;
    spec.shapes.forEach(([h, w, channels], i) => {
      const cell = makeTile(grid);
      const size = h * w * channels;
      paintSum(cell.firstChild, {spec: {h, w, channels}}, pixels.subarray(from, from + size));
      cell.lastChild.textContent = spec.labels[i] ?? '';
      cell.firstChild.setAttribute('aria-label', `${spec.each} ${i + 1}, ${spec.labels[i] ?? ''}`);
      from += size;
    });
  };
  return {watch: () => [], draw};
}

const SWEEP_MS = 7000;  // from one end to the other

/** New latents; and a sweep of the cut that goes on from where it is, there and back. */
function buttonPanel(app, panel) {
  const row = document.createElement('div');
  row.className = 'b-buttons';
  row.innerHTML = '<button type="button" class="b-again"></button><button type="button" class="b-sweep" aria-keyshortcuts="Space"></button>';
  panel.box.append(row);
  const [again, sweep] = row.children;
  const clock = {frame: 0, started: 0, from: 0};
  again.onclick = () => {
    const {variable, count} = panel.spec;
    setValue(app, variable, (Math.round(app.values[variable]) + 1) % count);
  };
  const write = () => {
    again.textContent = panel.spec.words;
    sweep.textContent = clock.frame ? 'Pause' : panel.spec.sweepWords;
  };
  const pause = () => {
    const played = clock.frame;
    cancelAnimationFrame(clock.frame);
    clock.frame = 0;
    write();
    if (played) setValue(app, panel.spec.sweep, app.values[panel.spec.sweep]);
  };
  const tick = (time) => {
    const {stops, sweep: name} = panel.spec;
    clock.started ||= time;
    const turn = clock.from + (time - clock.started) / SWEEP_MS;
    const share = turn % 2 < 1 ? turn % 1 : 1 - turn % 1;
    const value = stops[Math.round(share * (stops.length - 1))];
    if (value !== app.values[name]) setValue(app, name, value, {final: false});
    clock.frame = requestAnimationFrame(tick);
  };
  const play = () => {
    if (clock.frame) return pause();
    const {stops, sweep: name} = panel.spec;
    const at = nearestStop(stops, app.values[name]);
    if (prefersStill()) return setValue(app, name, stops[at < stops.length / 2 ? stops.length - 1 : 0]);
    Object.assign(clock, {started: 0, from: at / Math.max(1, stops.length - 1)});
    clock.frame = requestAnimationFrame(tick);
    return write();
  };
  sweep.onclick = play;
  const key = (event) => {
    if (event.key !== ' ' || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    play();
  };
  return {watch: () => [], draw: write, key, stop: () => cancelAnimationFrame(clock.frame)};
}

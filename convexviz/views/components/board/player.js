// Play, step and slow motion over frames that are all here already; it moves one variable.

function playerPanel(app, panel) {
  const row = document.createElement('div');
  row.className = 'b-player';
  row.innerHTML = `<button type="button" class="b-play" aria-keyshortcuts="Space"></button>
    <button type="button" class="b-back" aria-label="One step back">\u2039</button>
    <button type="button" class="b-on" aria-label="One step on">\u203a</button>
    <input type="range" min="0" step="1"><output></output>
    <label class="b-slow"><input type="checkbox"> slow</label>`;
  panel.box.append(row);
  const find = (selector) => row.querySelector(selector);
  const clock = {frame: 0, next: 0};
  const last = () => panel.spec.count - 1;
  const now = () => Math.round(app.values[panel.spec.variable] ?? 0);
  const pause = () => {
    const played = clock.frame;
    cancelAnimationFrame(clock.frame);
    clock.frame = 0;
    if (played) setValue(app, panel.spec.variable, now());
    write();
  };
  const go = (index, options) => setValue(app, panel.spec.variable, Math.max(0, Math.min(last(), index)), options);
  const tick = (time) => {
    const wait = (panel.spec.wait ?? 120) * (find('.b-slow input').checked ? 5 : 1);
    if (time >= clock.next) {
      const step = Math.max(1, Math.round((time - (clock.next || time)) / wait) + 1);
      clock.next = time + wait;
      go(Math.min(last(), now() + Math.min(step, 4)), {final: false});
    }
    if (now() >= last()) pause();
    else clock.frame = requestAnimationFrame(tick);
  };
  const play = () => {
    if (clock.frame) return pause();
    if (now() >= last()) go(0, {final: false});
    if (prefersStill()) return go(last());
    clock.next = 0;
    clock.frame = requestAnimationFrame(tick);
    return write();
  };
  const write = () => {
    const {spec} = panel;
    const words = spec.labels?.[now()] ?? `${now()} of ${last()}`;
    find('.b-play').textContent = clock.frame ? 'Pause' : spec.play ?? 'Play';
    find('.b-back').disabled = now() <= 0;
    find('.b-on').disabled = now() >= last();
    const range = find('input[type=range]');
    Object.assign(range, {max: last(), value: now()});
    range.style.setProperty('--at', `${100 * now() / Math.max(1, last())}%`);
    range.setAttribute('aria-label', spec.alt ?? 'step');
    range.setAttribute('aria-valuetext', words);
    find('output').textContent = words;
  };
  find('.b-play').onclick = play;
  find('.b-back').onclick = () => { pause(); go(now() - 1); };
  find('.b-on').onclick = () => { pause(); go(now() + 1); };
  find('input[type=range]').oninput = (event) => {
    const to = Number(event.target.value);  // before it is written anew
    pause();
    go(to, {final: false});
  };
  find('input[type=range]').onchange = () => go(now());
  const key = (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const acts = {' ': play, ArrowRight: () => { pause(); go(now() + 1); }, ArrowLeft: () => { pause(); go(now() - 1); }};
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  };
  return {watch: () => [panel.spec.variable], draw: write, key, stop: () => cancelAnimationFrame(clock.frame)};
}

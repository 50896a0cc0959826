// The live sentence, the captions, and the hint: what the picture shows now, in words.

function writeWords(app) {
  const words = unitWords(app.model, app.held.state);
  const sentence = app.held.path >= 0 ? sayUnit(app, words)
    : app.probes.length === 2 ? sayPair(app, words) : sayProbe(app, words);
  const say = app.find('.say');
  if (say.__html !== sentence) say.innerHTML = say.__html = sentence;
  app.find('.hint').innerHTML = hintFor(app);
  const hold = app.find('.hold');
  const held = app.held.pins.some((pin) => samePixel(pin, app.held.cursor));
  hold.textContent = held ? 'Release' : 'Pin';
  app.find('.paths h2').textContent = `${capital(words.many)}, sorted by weight`;
  app.find('.paths .head .sub').textContent = `point at one to see where it is ${words.on}`;
  app.find('.strip').setAttribute('aria-label', `Weight of each ${words.one}, largest first. `
    + `Left and right arrows choose one, Escape leaves.`);
}

/** For the ear only: where the probe is, and how good the picture is. */
function aside(words) {
  return `<span class="unseen">${words}</span>`;
}

function spokenQuality(app) {
  const state = app.meta.states[app.held.state];
  if (!Number.isFinite(state.psnr_denoised) || !Number.isFinite(state.psnr_noisy)) return '';
  const unseen = Number.isFinite(state.test_psnr_denoised)
    ? `, on the unseen half ${state.test_psnr_denoised.toFixed(1)}` : '';
  return ` PSNR ${state.psnr_denoised.toFixed(1)} decibels, noisy ${state.psnr_noisy.toFixed(1)}${unseen}.`;
}

function sayProbe(app, words) {
  const probe = app.probes[0];
  const [row, column] = probe.pixel;
  const where = aside(`Row ${row}, column ${column}${probe.letter ? ', pinned' : ''}. `);
  const total = app.state.unit.length;
  const count = `${where}<b>${probe.active}</b> of ${total} ${total === 1 ? words.one : words.many} `
    + `${probe.active === 1 ? 'is' : 'are'} ${words.on} here. `;
  const others = `<b>${formatCount(probe.count)}</b> pixel${probe.count > 1 ? 's share' : ' uses'}`;
  const most = likeness(app.state);
  const alike = probe.like.others ? ` <b>${formatCount(probe.like.others)}</b> more, paler, differ in `
    + `${most === 1 ? `one ${words.one}` : `at most ${most} ${words.many}`}.` : '';
  if (isCovered(app, probe)) {
    return `${count}${others} that pattern. Their filter is yours to predict.${aside(spokenQuality(app))}`;
  }
  const {gain} = describeFilter(withIdentity(app.model, probe.filter), app.meta.k);
  const sum = app.meta.residual ? 'With the identity, weights add' : 'Weights add';
  const bias = app.meta.bias ? `, plus a constant <b>${formatSigned(probe.constant, 3)}</b>` : '';
  return `${count}Their sum is this filter, and ${others} it. `
    + `${sum} to <b>${formatSigned(gain)}</b>${bias}.${alike}${aside(spokenQuality(app))}`;
}

function sayPair(app, words) {
  const [a, b] = app.probes;
  let both = 0;
  for (let j = 0; j < app.state.unit.length; j++) {
    if (isActive(app.state, pixelIndex(app, a.pixel), j) && isActive(app.state, pixelIndex(app, b.pixel), j)) both += 1;
  }
  const name = b.letter || 'the probe';
  const where = app.probes
    .map(({letter, pixel}) => `${letter || 'Probe'}: row ${pixel[0]}, column ${pixel[1]}. `).join('');
  if (a.id === b.id) {
    return `${aside(where)}${a.letter} and ${name} have one pattern, so one filter.${aside(spokenQuality(app))}`;
  }
  return `${aside(where)}<b>${a.active}</b> ${words.many} are ${words.on} at ${a.letter}, `
    + `<b>${b.active}</b> at ${name}, <b>${both}</b> at both.${aside(spokenQuality(app))}`;
}

function sayUnit(app, words) {
  const {count} = unitAlone(app.model, app.state, app.held.path);
  const rank = app.state.sorted.indexOf(app.held.path) + 1;
  return `${capital(words.one)} <b>${rank}</b> is ${words.on} at <b>${formatCount(count)}</b> pixels, `
    + `<b>${formatShare(count, app.model.n)}</b> of the image.`;
}

function hintFor(app) {
  if (app.held.path >= 0) return '';
  const pins = app.held.pins.length;
  if (pins === 2) return '<kbd>Esc</kbd> frees both, a click replaces the older.';
  if (pins === 1) return 'Pinned. Point elsewhere to compare, <kbd>Esc</kbd> frees it.';
  return 'Click to pin, <kbd>←</kbd> <kbd>↑</kbd> to step, <kbd>+</kbd> to zoom.';
}

function writeCaptions(app) {
  const state = app.meta.states[app.held.state];
  const both = (seen, unseen) => (Number.isFinite(seen) ? formatDecibels(seen) : '')
    + (Number.isFinite(unseen) ? `<span class="opt">, unseen ${formatDecibels(unseen)}</span>` : '');
  app.find('.psnr-noisy').innerHTML = both(state.psnr_noisy, state.test_psnr_noisy);
  app.find('.psnr-denoised').innerHTML = both(state.psnr_denoised, state.test_psnr_denoised);
  app.find('.error-range').textContent = `denoised − clean, ± ${Number(app.meta.error_range.toPrecision(2))}`;
}

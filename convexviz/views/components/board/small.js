// The panels beside the pictures: certificate, sentence, slider, choice, bars, marks, question.

function certificatePanel(app, panel) {
  const card = document.createElement('div');
  panel.box.append(card);
  const draw = () => {
    const {spec} = panel;
    const state = spec.states[frameOf(app, spec, spec.states.length)];
    if (!state.missing) return drawCertificate(card, state);
    card.className = 'card b-missing';
    card.__html = null;
    card.textContent = state.missing;
    return undefined;
  };
  return {watch: () => [panel.spec.variable].filter(Boolean), draw};
}

/** Text in which `**so**` is bold; everything else is text. */
function writeMarked(element, words) {
  if (element.__words === words) return;
  element.__words = words;
  element.replaceChildren(...words.split(/\*\*(.+?)\*\*/).map((part, i) => {
    if (i % 2 === 0) return part;
    const bold = document.createElement('b');
    bold.textContent = part;
    return bold;
  }));
}

function sayPanel(app, panel) {
  const line = document.createElement('p');
  line.className = 'b-words';
  line.setAttribute('role', 'status');
  line.setAttribute('aria-live', 'polite');
  panel.box.append(line);
  const draw = () => writeMarked(line, panel.spec.texts[frameOf(app, panel.spec, panel.spec.texts.length)]);
  return {watch: () => [panel.spec.variable].filter(Boolean), draw};
}

/** A slider over listed values, or between two ends, logarithmic where `log`. */
function sliderPanel(app, panel) {
  panel.box.innerHTML += `<label class="b-top"><span></span><output></output></label>
    <input type="range" min="0"><div class="b-ends sub"><span></span><span></span></div>`;
  const find = (selector) => panel.box.querySelector(selector);
  const input = find('input');
  const scale = () => {
    const {values, low, high, log} = panel.spec;
    if (values) return {to: (v) => values.reduce((best, x, i) => (Math.abs(x - v) < Math.abs(values[best] - v) ? i : best), 0), of: (at) => values[at], top: values.length - 1};
    const between = makeScale(low, high, 0, 400, log);
    return {to: between.to, of: (at) => Number(between.of(at).toPrecision(3)), top: 400};
  };
  const read = () => scale().of(Number(input.value));
  input.oninput = () => setValue(app, panel.spec.variable, read(), {final: false, live: panel.spec.live ?? 0});
  input.onchange = () => setValue(app, panel.spec.variable, read());
  const draw = () => {
    const {spec} = panel;
    const {to, top} = scale();
    const now = app.values[spec.variable];
    Object.assign(input, {max: top, step: spec.values ? 1 : 'any'});
    if (app.root.activeElement !== input || Math.abs(read() - now) > 1e-9 * Math.abs(now)) input.value = to(now);
    input.style.setProperty('--at', `${100 * to(now) / Math.max(1, top)}%`);
    const words = spec.words?.[spec.values?.indexOf(now)] ?? (spec.whole ? formatCount(now) : formatDecay(now));
    input.setAttribute('aria-label', spec.label);
    input.setAttribute('aria-valuetext', words);
    find('.b-top span').textContent = spec.label;
    find('output').textContent = words;
    const ends = panel.box.querySelectorAll('.b-ends span');
    ends.forEach((end, i) => { end.textContent = spec.ends?.[i] ?? ''; });
    find('.b-ends').hidden = !spec.ends;
  };
  return {watch: () => [panel.spec.variable], draw};
}

/** A row of buttons, one of which holds. */
function choicePanel(app, panel) {
  const group = document.createElement('div');
  group.className = 'b-choice';
  group.setAttribute('role', 'radiogroup');
  panel.box.append(group);
  const move = (step) => {
    const {options, variable} = panel.spec;
    const at = options.findIndex(([value]) => value === app.values[variable]);
    setValue(app, variable, options[(at + step + options.length) % options.length][0]);
    requestAnimationFrame(() => group.querySelector('[aria-checked=true]')?.focus());
  };
  group.onkeydown = (event) => {
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    move(step);
  };
  const draw = () => {
    const {options, variable, label} = panel.spec;
    group.setAttribute('aria-label', label ?? panel.spec.title);
    if (group.children.length !== options.length) {
      group.replaceChildren(...options.map(() => document.createElement('button')));
    }
    options.forEach(([value, words], i) => {
      const button = group.children[i];
      const on = value === app.values[variable];
      Object.assign(button, {type: 'button', textContent: words, tabIndex: on ? 0 : -1, onclick: () => setValue(app, variable, value)});
      button.setAttribute('role', 'radio');
      button.setAttribute('aria-checked', String(on));
    });
  };
  return {watch: () => [panel.spec.variable], draw};
}

/** Rows: an arrow or a mark, a bar, its value, and squares for signed weights. */
function barsPanel(app, panel) {
  const canvas = makeCanvas(panel, {role: 'img'});
  const draw = () => {
    const {spec, app: {roles}} = panel;
    const rows = spec.frames[frameOf(app, spec, spec.frames.length)];
    const tall = 1.75 * roles.rem;
    const head = spec.heads ? 1.4 * roles.rem : 0;
    const shown = Math.max(rows.length, spec.fewest ?? 3);
    sizeCanvas(canvas, (shown * tall + head) / roles.rem);
    canvas.setAttribute('aria-label', `${panel.spec.title}: ${rows.map((row) => `${row.words ?? ''} ${formatTick(Number(row.value.toPrecision(3)))}`).join(', ')}`);
    const [context, width] = fitCanvas(canvas, shown * tall + head);
    const weights = Math.max(0, ...rows.map((row) => row.weights?.length ?? 0));
    const side = 1.25 * roles.rem;
    const squares = weights * side + (weights ? 8 * roles.k : 0);
    const left = (spec.wide ?? 2.4) * roles.rem;
    const top = spec.top ?? Math.max(1e-12, ...rows.map((row) => row.value));
    const room = width - left - squares - 3.4 * roles.rem;
    const heaviest = Math.max(1e-12, ...rows.flatMap((row) => (row.weights ?? []).map(Math.abs)));
    const text = {size: 0.8125 * roles.rem, base: 'middle', font: roles.font};
    rows.forEach((row, i) => {
      const y = head + (i + 0.5) * tall;
      drawBarMark(context, row, roles, y, text);
      const length = Math.max(2, room * row.value / top);
      const colour = colourOf(roles, row.role ?? 'convex');
      context.fillStyle = colour;
      if (row.hollow) {
        Object.assign(context, {strokeStyle: colour, lineWidth: 1.5 * roles.k});
        context.strokeRect(left, y - 0.24 * tall, length, 0.48 * tall);
      } else context.fillRect(left, y - 0.24 * tall, length, 0.48 * tall);
      if (row.second !== undefined) drawSecond(context, left + room * row.second / top, y, 0.36 * tall, roles);
      drawText(context, row.shown ?? row.value.toPrecision(3), left + length + 6 * roles.k, y, {...text, fill: roles.ink});
      (row.weights ?? []).forEach((weight, j) => drawWeight(context, weight / heaviest, width - squares + 8 * roles.k + (j + 0.5) * side, y, 0.8 * side, roles));
    });
    if (spec.heads) {
      spec.heads.forEach((kind, j) => {
        drawShape(context, kind, width - squares + 8 * roles.k + (j + 0.5) * side, 0.6 * head, 4.5 * roles.k);
        context.fillStyle = classColour(roles, kind);
        context.fill();
      });
    }
  };
  return {watch: () => [panel.spec.variable].filter(Boolean), draw};
}

/** A line across a bar at a second value. */
function drawSecond(context, x, y, half, roles) {
  for (const [colour, width] of [[roles.paper, 5], [roles.ink, 2]]) {
    drawLine(context, [[x, y - half], [x, y + half]], {colour, width: width * roles.k});
  }
}

function drawBarMark(context, row, roles, y, text) {
  if (row.arrow) {
    const length = Math.hypot(...row.arrow) || 1;
    const [ux, uy] = row.arrow.map((v) => 0.75 * roles.rem * v / length);
    const x = 0.95 * roles.rem;
    drawArrow(context, [x - ux, y + uy], [x + ux, y - uy], colourOf(roles, row.mark ?? row.role ?? 'convex'), 2.5 * roles.k, 8 * roles.k);
  } else if (row.words) drawText(context, row.words, 0, y, {...text, fill: roles.ink});
}

/** A signed weight as a square by size, with its sign written. */
function drawWeight(context, weight, x, y, side, roles) {
  const inner = Math.sqrt(Math.abs(weight)) * side;
  Object.assign(context, {strokeStyle: roles.line, lineWidth: 1});
  context.strokeRect(x - side / 2 + 0.5, y - side / 2 + 0.5, side - 1, side - 1);
  context.fillStyle = weight >= 0 ? roles.plus : roles.minus;
  context.fillRect(x - inner / 2, y - inner / 2, inner, inner);
  if (inner < 9 * roles.k) return;
  context.fillStyle = roles.surface;
  context.fillRect(x - 3 * roles.k, y - 0.8 * roles.k, 6 * roles.k, 1.6 * roles.k);
  if (weight >= 0) context.fillRect(x - 0.8 * roles.k, y - 3 * roles.k, 1.6 * roles.k, 6 * roles.k);
}

/** Every order of some things, the given one first. */
const ordersOf = (things) => (things.length < 2 ? [things]
  : things.flatMap((one, i) => ordersOf(things.filter((_, j) => j !== i)).map((rest) => [one, ...rest])));

/** Row and left end of each word: in the first order where all stand clear of the stems from above. */
function wordsInRows(marks, width, k) {
  const rows = [...marks.keys()];
  const tries = (rows.length < 5 ? ordersOf(rows) : [rows]).map((order) => order.map((own, row) => {
    const {px, wide} = marks[own];
    const sides = [px + 7 * k, px - 7 * k - wide];
    if (px > width / 2) sides.reverse();
    const lefts = sides.map((side) => Math.max(0, Math.min(width - wide, side)));
    const stems = order.slice(0, row).map((other) => marks[other].px).filter((stem) => Math.abs(stem - px) > 7 * k);
    const clear = lefts.find((left) => stems.every((stem) => stem < left - 3 || stem > left + wide + 3));
    return {own, row, left: clear ?? lefts[0], met: clear === undefined};
  }));
  const best = tries.find((words) => words.every(({met}) => !met)) ?? tries[0];
  return best.sort((a, b) => a.own - b.own);
}

/** Values on one axis, and the gaps between them, named. */
function marksPanel(app, panel) {
  const canvas = makeCanvas(panel, {role: 'img'});
  const draw = () => {
    const {spec, app: {roles}} = panel;
    const {marks, gaps = []} = spec.frames[frameOf(app, spec, spec.frames.length)];
    const known = marks.filter(({value}) => Number.isFinite(value));
    const tall = (known.length * 1.35 + 2.2) * roles.rem;  // the last word stands clear of the axis
    sizeCanvas(canvas, tall / roles.rem);
    const [context, width] = fitCanvas(canvas, tall);
    canvas.setAttribute('aria-label', known.map(({words, value}) => `${words} ${value}`).join(', '));
    const values = known.map(({value}) => value);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const span = Math.max(high - low, 1e-7 * Math.abs(high)) || 1;  // less is rounding
    const x = makeScale(low - 0.16 * span, high + 0.16 * span, 10 * roles.k, width - 10 * roles.k);
    const axis = tall - 1.5 * roles.rem;
    for (const {from, to, words, role} of gaps) {
      const [a, b] = [x.to(from), x.to(to)];
      context.fillStyle = withAlpha(colourOf(roles, role ?? 'bound'), roles.dark ? 0.3 : 0.2);
      context.fillRect(a, axis - 9 * roles.k, b - a, 9 * roles.k);
      drawText(context, words, Math.max(70 * roles.k, Math.min(width - 70 * roles.k, (a + b) / 2)), axis + 1.1 * roles.rem, {fill: roles.ink2, size: 0.75 * roles.rem, align: 'center', font: roles.font});
    }
    Object.assign(context, {strokeStyle: roles.ink2, lineWidth: 1});
    context.strokeRect(0, Math.round(axis) + 0.5, width, 0);
    const type = {size: 0.8125 * roles.rem, weight: 600, base: 'middle', font: roles.font, halo: roles.paper};
    context.font = `${type.weight} ${type.size}px ${type.font}`;
    const places = wordsInRows(known.map(({value, words}) => ({px: x.to(value), wide: context.measureText(words).width})), width, roles.k);
    known.forEach(({value, words, role, dashed, hollow}, i) => {
      const [px, y, colour] = [x.to(value), (places[i].row + 0.75) * 1.35 * roles.rem, colourOf(roles, role)];
      drawLine(context, [[px, y + 4], [px, axis]], {colour, width: 2.5 * roles.k, dash: dashed ? [5 * roles.k, 3 * roles.k] : []});
      context.beginPath();
      context.arc(px, axis, 4 * roles.k, 0, 7);
      Object.assign(context, {fillStyle: hollow ? roles.surface : colour, strokeStyle: colour, lineWidth: 2 * roles.k});
      context.fill();
      context.stroke();
      drawText(context, words, places[i].left, y, {fill: colour, ...type});
    });
  };
  return {watch: () => [panel.spec.variable].filter(Boolean), draw};
}

/** Predict, then reveal: until then the panels named in `hides` are covered. */
function quizPanel(app, panel) {
  const form = document.createElement('form');
  form.className = 'b-quiz-card';
  form.innerHTML = `<h3 class="label">Predict, then reveal</h3><p class="b-question"></p>
    <div class="b-options" role="radiogroup" aria-label="Your guess"></div>
    <button type="submit" disabled>Reveal</button><p class="b-answer" role="status" hidden></p>`;
  panel.box.append(form);
  const held = {choice: null, told: false};
  const find = (selector) => form.querySelector(selector);
  const write = () => {
    const {options, answer, why, hides = []} = panel.spec;
    find('button').disabled = held.choice === null;
    find('button').hidden = held.told;
    find('button').classList.toggle('primary', held.choice !== null);
    form.querySelectorAll('.b-options label').forEach((label, i) => {
      label.querySelector('input').disabled = held.told;
      label.classList.toggle('b-right', held.told && i === answer);
      label.classList.toggle('b-chosen', i === held.choice);
    });
    const said = find('.b-answer');
    said.hidden = !held.told;
    if (held.told) {
      writeMarked(said, `**${held.choice === answer ? 'Yes.' : `Not quite: ${options[answer]}.`}** ${why}`);
    }
    for (const other of app.panels ?? []) other.box.classList.toggle('b-covered', !held.told && hides.includes(other.spec.id));
  };
  const build = () => {
    Object.assign(held, {choice: null, told: false});
    panel.asked = panel.spec.question;
    find('.b-question').textContent = panel.spec.question;
    find('.b-options').replaceChildren(...panel.spec.options.map((words, i) => {
      const label = document.createElement('label');
      const input = document.createElement('input');
      Object.assign(input, {type: 'radio', name: `guess-${panel.spec.id}`});
      input.onchange = () => {
        held.choice = i;
        write();
      };
      const text = document.createElement('span');
      text.textContent = words;
      label.append(input, text);
      return label;
    }));
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    if (held.choice === null) return;
    held.told = true;
    write();
    for (const [name, value] of Object.entries(panel.spec.then ?? {})) setValue(app, name, value);
  };
  build();
  return {watch: () => [], draw: write, refill: () => { if (panel.asked !== panel.spec.question) build(); }};
}

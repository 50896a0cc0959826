// The start page: one card an architecture, and the results that are stored.

function element(tag, className, words) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (words) made.textContent = words;
  return made;
}

function link(app, className, address, target) {
  const made = element('a', className);
  made.href = address;
  made.onclick = (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    app.open(target);
  };
  return made;
}

function buildCards(app, root) {
  const cards = root.querySelector('.cards');
  cards.dataset.count = app.meta.cards.length;
  app.pictures = app.meta.cards.map((card) => {
    const box = link(app, 'cardx', card.name, {page: card.name, query: {}});
    const picture = element('div', 'pic');
    const canvas = element('canvas');
    canvas.setAttribute('aria-hidden', 'true');
    picture.append(canvas);
    const words = element('div', 'tx');
    words.append(element('h2', '', card.title), element('p', '', card.line));
    words.append(element('span', 'go', 'Open the lab'));
    box.append(picture, words);
    cards.append(box);
    return {canvas, draw: pictureOf(card.picture, app.meta)};
  });
  root.querySelector('.names').textContent = app.meta.names;
}

function buildResults(app, root) {
  const {results, thumb, arrays} = app.meta;
  root.querySelector('.strip').hidden = results.length === 0;
  results.forEach((result, i) => {
    const box = link(app, 'it', result.address, {page: result.page, query: result.query});
    const words = element('div');
    words.append(element('b', '', result.title));
    for (const line of [`gap ${formatGap(result.gap)}, ${result.scope}`, result.more]) {
      words.append(element('span', '', line));
    }
    const cells = arrays.thumbs?.subarray(i * thumb * thumb, (i + 1) * thumb * thumb);
    const picture = result.thumb && cells ? greyCanvas(cells, thumb, thumb) : element('canvas', 'idea');
    if (picture.className === 'idea') app.ideas.push({canvas: picture, draw: pictureOf(result.picture, app.meta)});
    box.append(picture, words);
    root.querySelector('.row').append(box);
  });
}

/** A loop with a Pause button; it starts paused where motion is not wanted. */
function startMotion(app, root) {
  const button = root.querySelector('.motion');
  const clock = {seconds: 3.2, last: 0, frame: 0, on: !prefersStill()};
  const draw = () => app.pictures.forEach((each) => each.draw(each.canvas, clock.seconds, app.roles));
  const drawStill = () => app.ideas.forEach((each) => each.draw(each.canvas, 5, app.roles));
  const tick = (now) => {
    // A tab that slept goes on where it stopped.
    if (clock.last && now - clock.last < 200) clock.seconds += (now - clock.last) / 1000;
    clock.last = now;
    draw();
    clock.frame = clock.on ? requestAnimationFrame(tick) : 0;
  };
  const play = () => {
    button.textContent = clock.on ? 'Pause' : 'Play';
    clock.last = 0;
    cancelAnimationFrame(clock.frame);
    clock.frame = clock.on ? requestAnimationFrame(tick) : 0;
  };
  button.onclick = () => {
    clock.on = !clock.on;
    play();
  };
  play();
  const drawAll = () => {
    draw();
    drawStill();
  };
  return {draw: drawAll, stop: () => cancelAnimationFrame(clock.frame), play};
}

function startHome(root, data) {
  const app = {meta: unpack(data), roles: readRoles(root), ideas: []};
  root.querySelector('.cards').replaceChildren();
  root.querySelector('.row').replaceChildren();
  buildCards(app, root);
  buildResults(app, root);
  app.motion = startMotion(app, root);
  root.querySelector('.home').dataset.ready = 'true';
  return app;
}

export default function ({parentElement: root, data, setTriggerValue}) {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  let app = root.__app;
  if (app?.meta.id !== readHeader(bytes).header.id) {
    app?.motion.stop();
    app = root.__app = startHome(root, bytes);
  } else app.motion.play();
  app.open = (target) => setTriggerValue('open', target);
  const draw = () => {
    app.roles = readRoles(root);
    app.motion.draw();
  };
  draw();
  const stop = watchLook(root, draw);
  return () => {
    stop();
    app.motion.stop();
  };
}

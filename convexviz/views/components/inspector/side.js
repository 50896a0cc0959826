// The right column: weight decay, certificate, and the question.

/** The slider is live while it is dragged; Python hears of it when it is let go. */
function attachSlider(app) {
  const slider = app.find('.decay input');
  const {order} = app.model;
  slider.max = order.length - 1;
  app.find('.decay').hidden = order.length < 2;
  slider.oninput = () => showState(app, order[Number(slider.value)]);
  slider.onchange = () => app.report('state', app.held.state);
}

function writeSlider(app) {
  const slider = app.find('.decay input');
  const at = app.model.order.indexOf(app.held.state);
  const words = formatDecay(app.meta.states[app.held.state].weight_decay);
  slider.value = at;
  slider.style.setProperty('--at', `${(100 * at) / Math.max(1, app.model.order.length - 1)}%`);
  const units = unitWords(app.model, app.held.state);
  const used = app.state.unit.length;
  slider.setAttribute('aria-valuetext', `${words}, ${used} ${used === 1 ? units.one : units.many}`);
  app.find('.decay output').textContent = words;
  app.find('.decay .less').textContent = `more ${units.many}`;
  app.find('.decay .more').textContent = `fewer ${units.many}`;
}

function writeCertificate(app) {
  drawCertificate(app.find('.cert'), app.meta.states[app.held.state]);
}

/** Build the question once; user text goes in as text. */
function attachQuiz(app) {
  const form = app.find('.quiz');
  const {quiz} = app.meta;
  form.hidden = !quiz;
  if (!quiz) return;
  app.find('.question').textContent = quiz.question;
  const options = app.find('.options');
  options.replaceChildren(...quiz.options.map((words, i) => quizOption(app, words, i)));
  form.onsubmit = (event) => {
    event.preventDefault();
    if (app.held.quiz.choice === null || app.held.quiz.told) return;
    app.held.quiz.told = true;
    goToQuiz(app);
    app.report('revealed', true);
  };
  writeQuiz(app);
}

function quizOption(app, words, index) {
  const label = document.createElement('label');
  const input = document.createElement('input');
  Object.assign(input, {type: 'radio', name: 'guess', value: index});
  input.checked = app.held.quiz.choice === index;
  input.onchange = () => {
    app.held.quiz.choice = index;
    goToQuiz(app);
  };
  const text = document.createElement('span');
  text.textContent = words;
  label.append(input, text);
  return label;
}

/** The probe goes where the question is; pins give way, so that the answer is seen. */
function goToQuiz(app) {
  if (app.held.pins.length) {
    app.held.pins = [];
    app.report('pins', []);
  }
  app.held.cursor = [...app.meta.quiz.pixel];
  app.held.path = -1;
  keepInView(app, app.held.cursor);
  writeQuiz(app);
  app.request();
}

function writeQuiz(app) {
  const {quiz} = app.meta;
  const {choice, told} = app.held.quiz;
  app.find('.quiz').classList.toggle('told', told);
  app.find('.quiz button').disabled = choice === null || told;
  app.find('.quiz button').hidden = told;
  app.find('.quiz button').classList.toggle('primary', choice !== null);
  app.findAll('.options label').forEach((label, i) => {
    label.querySelector('input').disabled = told;
    label.classList.toggle('right', told && i === quiz.answer);
    label.classList.toggle('chosen', i === choice);
  });
  const answer = app.find('.quiz .answer');
  answer.hidden = !told;
  if (!told) return;
  const verdict = document.createElement('b');
  verdict.textContent = choice === quiz.answer ? 'Yes. ' : `Not quite: ${quiz.options[quiz.answer]}. `;
  answer.replaceChildren(verdict, quiz.why);
}

/** Is this probe's filter the one that the reader is to predict? */
function isCovered(app, probe) {
  const {quiz} = app.meta;
  if (!quiz || app.held.quiz.told) return false;
  return app.state.ids[pixelIndex(app, quiz.pixel)] === probe.id;
}

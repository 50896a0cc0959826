// The table of stored results: sort by a head, mark rows to compare, open one by its row.

const WRITE = {
  gap: formatGap,
  psnr: formatDecibels,
  accuracy: (value) => formatShare(value, 1),
  neurons: formatCount,
  seconds: (value) => `${Number(value.toPrecision(3))} s`,
};

function cellOf(row, column) {
  const cell = document.createElement('td');
  cell.className = [column.number ? 'number' : '', column.second ? 'second' : ''].join(' ').trim();
  const value = row[column.name];
  if (column.name === 'title') {
    const title = document.createElement('b');
    title.textContent = value;
    const under = document.createElement('span');
    under.className = 'quiet';
    under.textContent = row.under;
    const more = document.createElement('span');
    more.className = 'quiet more';
    more.textContent = `${row.scope}, ${row.date.replaceAll('-', '\u2011')}`; // unbroken
    cell.append(title, under, more);
  } else if (value === null || value === undefined || value === '') {
    cell.textContent = '\u2013';
  } else cell.textContent = (WRITE[column.name] || String)(value);
  return cell;
}

function markOf(row, app) {
  const cell = document.createElement('td');
  cell.className = 'mark';
  const box = document.createElement('input');
  box.type = 'checkbox';
  box.checked = row.marked;
  box.setAttribute('aria-label', `Mark ${row.title}`);
  box.onclick = (event) => event.stopPropagation();
  box.onchange = () => app.send('pick', {id: row.id, marked: box.checked});
  cell.append(box);
  return cell;
}

function headOf(column, data, app) {
  const head = document.createElement('th');
  head.scope = 'col';
  head.className = [column.number ? 'number' : '', column.second ? 'second' : ''].join(' ').trim();
  if (!column.sort) {
    const words = document.createElement('span');
    words.textContent = column.label;
    head.append(words);
    return head;
  }
  const button = document.createElement('button');
  button.type = 'button';
  const on = data.sort === column.sort;
  const arrow = data.descending ? ' \u2193' : ' \u2191';
  button.textContent = column.label + (on ? arrow : '');
  head.setAttribute('aria-sort', on ? (data.descending ? 'descending' : 'ascending') : 'none');
  button.onclick = () => app.send('sort', column.sort);
  head.append(button);
  return head;
}

function drawTable(root, data, app) {
  const heads = root.querySelector('thead tr');
  const first = document.createElement('th');
  const unseen = document.createElement('span');
  unseen.className = 'unseen';
  unseen.textContent = 'Marked';
  first.append(unseen);
  heads.replaceChildren(first, ...data.columns.map((column) => headOf(column, data, app)));
  const rows = data.rows.map((row) => {
    const made = document.createElement('tr');
    made.tabIndex = 0;
    made.setAttribute('aria-selected', String(row.marked));
    made.append(markOf(row, app), ...data.columns.map((column) => cellOf(row, column)));
    made.onclick = () => app.send('only', row.id);
    made.onkeydown = (event) => {
      if (event.target !== made || (event.key !== 'Enter' && event.key !== ' ')) return;
      event.preventDefault();
      app.send(event.key === 'Enter' ? 'only' : 'pick', event.key === 'Enter' ? row.id : {id: row.id, marked: !row.marked});
    };
    return made;
  });
  root.querySelector('tbody').replaceChildren(...rows);
  root.querySelector('.wide').hidden = rows.length === 0;
  const none = root.querySelector('.none');
  none.hidden = rows.length > 0;
  none.textContent = data.empty;
}

function drawPages(root, data, app) {
  const pages = root.querySelector('.pages');
  pages.hidden = data.total <= data.size;
  const [from, to] = [data.page * data.size + 1, Math.min(data.total, (data.page + 1) * data.size)];
  root.querySelector('.where').textContent =
    `${formatCount(from)} to ${formatCount(to)} of ${formatCount(data.total)}`;
  const [back, on] = [root.querySelector('.back'), root.querySelector('.on')];
  back.disabled = data.page === 0;
  on.disabled = to >= data.total;
  back.onclick = () => app.send('page', data.page - 1);
  on.onclick = () => app.send('page', data.page + 1);
}

export default function ({parentElement: root, data, setTriggerValue}) {
  readRoles(root);
  const app = {send: setTriggerValue};
  const held = root.querySelector('tr:focus');
  const place = held ? [...root.querySelectorAll('tbody tr')].indexOf(held) : -1;
  drawTable(root, data, app);
  drawPages(root, data, app);
  if (place >= 0) root.querySelectorAll('tbody tr')[place]?.focus();
  root.querySelector('.results').dataset.ready = 'true';
  return watchLook(root, () => readRoles(root));
}

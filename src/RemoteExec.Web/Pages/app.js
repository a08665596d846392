'use strict';
// One page, two views: the server at a glance (/) and one action (/action/ID). Both come with their first numbers
// inside; later ones come from /api/v1, and nothing is fetched from anywhere else.

const view = document.getElementById('view');
const live = document.getElementById('live');
const summary = document.getElementById('summary');
const embedded = id => JSON.parse(document.getElementById(id).textContent || 'null');
const actionId = (/^\/action\/([^/]+)$/.exec(location.pathname) || [])[1];
let status = embedded('status');
let action = embedded('action');

// Text only ever enters the page through text nodes, so a hostile file name stays a file name.
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat(9).filter(c => c !== null && c !== undefined).map(c => c instanceof Node ? c : document.createTextNode(String(c))));
  return node;
}

function bytes(n) {
  if (n === null || n === undefined) return '';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) { n /= 1024; i++; }
  return (i === 0 ? n : n.toFixed(1)) + ' ' + units[i];
}

function seconds(s) {
  if (s === null || s === undefined) return '';
  if (s < 1) return (s * 1000).toFixed(s < 0.01 ? 1 : 0) + ' ms';
  if (s < 60) return s.toFixed(2) + ' s';
  if (s < 3600) return Math.floor(s / 60) + ' m ' + Math.floor(s % 60) + ' s';
  return Math.floor(s / 3600) + ' h ' + Math.floor(s % 3600 / 60) + ' m';
}

const uptime = s => s < 60 ? Math.floor(s) + ' s' : seconds(s);

function table(columns, rows, empty) {
  if (rows.length === 0) return el('p', { class: 'quiet' }, empty);
  return el('div', { class: 'scroll' }, el('table', {},
    el('thead', {}, el('tr', {}, columns.map(c => el('th', { class: c.number ? 'number' : null, scope: 'col' }, c.title)))),
    el('tbody', {}, rows.map(r => el('tr', {}, columns.map(c => el('td', { class: c.number ? 'number' : c.wide ? 'wide' : null, 'data-label': c.title }, c.cell(r))))))));
}

const tile = (value, label, kind) => el('div', { class: 'tile' }, el('b', { class: kind || null }, value), el('span', {}, label));

function resultOf(action) {
  if (!action.done) return el('span', { class: 'quiet' }, action.stage);
  if (action.statusCode !== 0) return el('span', { class: 'bad' }, action.statusName);
  if (action.exitCode !== 0) return el('span', { class: 'bad' }, 'exit ' + action.exitCode);
  return el('span', { class: 'good' }, action.cached ? 'cache hit' : 'ok');
}

const stageNames = { queueSeconds: 'queue', fetchSeconds: 'fetch', runSeconds: 'run', uploadSeconds: 'upload', otherSeconds: 'other' };

function stageBar(stages) {
  const total = Object.keys(stageNames).reduce((sum, key) => sum + (stages[key] || 0), 0);
  if (!total) return '';
  return el('div', { class: 'stages', role: 'img', 'aria-label': Object.entries(stageNames).map(([k, n]) => n + ' ' + seconds(stages[k] || 0)).join(', ') },
    Object.entries(stageNames).map(([key, name]) => {
      const part = el('i', { class: name, title: name + ' ' + seconds(stages[key] || 0) });
      part.style.width = 100 * (stages[key] || 0) / total + '%';
      return part;
    }));
}

function fill(ratio) {
  const inner = el('i', {});
  inner.style.width = Math.min(100, Math.max(0, 100 * ratio)) + '%';
  return el('div', { class: 'bar' }, inner);
}

function overview() {
  const s = status;
  const slots = s.workers.reduce((n, w) => n + w.slots, 0);
  const used = s.workers.reduce((n, w) => n + w.slotsUsed, 0);
  return [
    s.fault ? el('p', { class: 'bad', role: 'alert' }, s.fault) : null,
    el('div', { class: 'tiles' },
      tile(s.queued, 'queued'), tile(used + ' / ' + slots, 'slots running'), tile(s.workers.length, 'workers', s.workers.length ? null : 'bad'),
      tile(s.operationsCompleted, 'operations completed'),
      tile(s.actionCacheHits + s.actionCacheMisses ? Math.round(100 * s.actionCacheHits / (s.actionCacheHits + s.actionCacheMisses)) + '%' : '—', 'action cache hits'),
      tile(bytes(s.storage.bytes), 'of ' + bytes(s.storage.limitBytes) + ' in ' + s.storage.blobs + ' blobs')),
    el('h2', {}, 'Queue'),
    table([
      { title: 'Pool', cell: q => q.pool || 'any' },
      { title: 'Platform', wide: true, cell: q => q.platform || 'no properties' },
      { title: 'Queued', number: true, cell: q => q.queued },
      { title: 'Running', number: true, cell: q => q.running },
      { title: 'Oldest waits', number: true, cell: q => q.queued ? seconds(q.oldestSeconds) : '' },
    ], s.queues, 'Nothing is queued or running.'),
    el('h2', {}, 'Workers'),
    table([
      { title: 'Worker', cell: w => w.id },
      { title: 'Pool', cell: w => w.pool },
      { title: 'State', cell: w => el('span', { class: w.state === 'ready' ? 'good' : 'warn' }, w.state) },
      { title: 'Slots', cell: w => [fill(w.slots ? w.slotsUsed / w.slots : 0), el('span', {}, w.slotsUsed + ' of ' + w.slots)] },
      { title: 'Properties', wide: true, cell: w => w.properties.join('  ') },
      { title: 'Walls', wide: true, cell: w => walls(w) },
    ], s.workers, 'No worker is connected. Start one: rexec-worker --coordinator HOST:8980'),
    el('h2', {}, 'Recent actions'),
    table([
      { title: 'Action', cell: a => el('a', { href: '/action/' + encodeURIComponent(a.id), class: 'mono' }, a.actionDigest.slice(0, 12)) },
      { title: 'What', wide: true, cell: a => [a.mnemonic, a.target].filter(Boolean).join(' ') || a.commandLine || '' },
      { title: 'Result', cell: a => resultOf(a) },
      { title: 'Worker', cell: a => a.worker || '' },
      { title: 'Stages', cell: a => stageBar(a.stages) },
      { title: 'Total', number: true, cell: a => seconds(a.totalSeconds) },
    ], s.actions, 'No action yet. Point a client here: bazel build --remote_executor=' + s.grpcAddress + ' //...'),
    el('p', { class: 'quiet legend' }, 'Stages:', ['queue', 'fetch', 'run', 'upload'].map(n => [el('i', { class: n }), n])),
  ];
}

function walls(worker) {
  const open = worker.walls.filter(w => !w.enforced);
  if (worker.walls.length === 0) return el('span', { class: 'bad' }, 'none');
  if (open.length === 0) return el('span', { class: 'good' }, 'all ' + worker.walls.length);
  return el('span', { class: 'warn', title: open.map(w => w.name + ': ' + w.reason).join('\n') }, 'without ' + open.map(w => w.name).join(', '));
}

const output = (title, o) => !o ? null : [
  el('h2', {}, title, o.truncated ? el('span', { class: 'quiet' }, ' (both ends of ' + bytes(o.sizeBytes) + ') ') : '',
    o.blobUrl ? el('a', { href: o.blobUrl }, ' whole') : ''),
  o.text ? el('pre', {}, o.text) : el('p', { class: 'quiet' }, 'empty'),
];

function actionView(a) {
  const files = (list, empty) => table([
    { title: 'Path', wide: true, cell: f => el('span', { class: 'mono' }, f.path) },
    { title: 'Kind', cell: f => f.kind },
    { title: 'Size', number: true, cell: f => f.kind === 'symlink' ? '→ ' + f.target : f.kind === 'directory' ? '' : bytes(f.sizeBytes) },
    { title: 'Digest', cell: f => f.blobUrl ? el('a', { href: f.blobUrl, class: 'mono' }, f.digest.slice(0, 12)) : '' },
  ], list, empty);
  return [
    el('h1', {}, [a.mnemonic, a.target].filter(Boolean).join(' ') || a.commandLine || a.actionDigest, ' ', resultOf(a)),
    el('p', { class: 'mono quiet' }, a.actionDigest),
    a.message ? el('p', {}, a.message) : null,
    el('div', { class: 'tiles' },
      tile(seconds(a.totalSeconds), 'total'), ...Object.entries(stageNames).map(([k, n]) => tile(seconds(a.stages[k]) || '—', n)),
      tile(a.worker || '—', 'worker, attempt ' + a.attempts)),
    el('p', {}, stageBar(a.stages)),
    el('h2', {}, 'Command'),
    a.command ? el('pre', {}, a.command.arguments.map(quote).join(' ')) : el('p', { class: 'quiet' }, a.commandProblem),
    a.command && a.command.environment.length ? [el('h2', {}, 'Environment'), el('pre', {}, a.command.environment.join('\n'))] : null,
    a.command && a.command.platform.length ? [el('h2', {}, 'Platform'), el('pre', {}, a.command.platform.join('\n'))] : null,
    output('Standard output', a.stdout),
    output('Standard error', a.stderr),
    el('h2', {}, 'Outputs'), files(a.outputs, 'none'),
    el('h2', {}, 'Inputs ', el('span', { class: 'quiet' }, a.inputsTruncated ? 'the first ' + a.inputs.length : a.inputs.length)),
    files(a.inputs, 'none, or no longer stored'),
  ];
}

// As a shell would need it, so that a command can be pasted.
const quote = word => /^[\w@%+=:,./-]+$/.test(word) ? word : "'" + word.replaceAll("'", "'\\''") + "'";

function show() {
  live.textContent = status.draining ? 'draining' : status.fault ? 'not ready' : 'live';
  live.className = 'pill ' + (status.draining ? 'warn' : status.fault ? 'bad' : 'good');
  summary.textContent = 'version ' + status.version + ' · up ' + uptime(status.uptimeSeconds) + ' · ' + status.grpcAddress;
  if (!actionId) render(overview());
}

function showAction() {
  document.title = (action.mnemonic || action.commandLine.slice(0, 60) || 'Action') + ' · RemoteExec';
  render(actionView(action));
}

// What a person has selected, or the place of the keyboard, must outlive an update that changes nothing.
let shown = '';
function render(parts) {
  const next = el('div', {}, parts);
  if (next.innerHTML === shown) return;
  shown = next.innerHTML;
  const focused = view.contains(document.activeElement) && document.activeElement.getAttribute('href');
  view.replaceChildren(...next.childNodes);
  if (focused) [...view.querySelectorAll('a')].find(a => a.getAttribute('href') === focused)?.focus();
}

async function refreshAction() {
  const response = await fetch('/api/v1/actions/' + actionId);
  if (!response.ok) return;
  action = await response.json();
  showAction();
}

show();
if (action) showAction();
else if (actionId) render([el('p', { class: 'bad' }, 'No such action; only the latest are remembered, and none over a restart.'), el('p', {}, el('a', { href: '/' }, 'The latest actions'))]);

const events = new EventSource('/api/v1/live');
events.onmessage = message => {
  status = JSON.parse(message.data);
  show();
  // A failed refresh shows itself: the stream breaks too, and its next message tries again.
  if (action && !action.done) refreshAction().catch(() => {});
};
events.onerror = () => { live.textContent = 'reconnecting'; live.className = 'pill warn'; };

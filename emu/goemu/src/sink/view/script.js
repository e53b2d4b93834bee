'use strict';
// The panes, the keys, the slider, the lane.

const $ = id => document.getElementById(id);
const REGISTERS = ['AX', 'CX', 'DX', 'BX', 'SP', 'BP', 'SI', 'DI', 'R8', 'R9', 'R10', 'R11', 'R12', 'R13', 'R14', 'R15'];
const FLAGS = [['CF', 0], ['PF', 2], ['AF', 4], ['ZF', 6], ['SF', 7], ['OF', 11]];
const COLOURS = { panicking: '#d1242f', recovered: '#1a7f37', recover_called: '#1a7f37', allocated: '#8250df', stack_grew: '#bc4c00', stack_moved: '#bc4c00', stack_check: '#9198a1', written: '#bf8700', defer_pushed: '#0969da', defer_runs: '#0969da', open_defer: '#0969da', goroutine_switched: '#bf3989', goroutine_started: '#bf3989' };
const STACK_WORDS = 48, ROW = 18;
let run, step = 0;

// Guest text is only ever text.
function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function link(text, to) {
  const made = element('button', text, 'link');
  made.addEventListener('click', () => go(to));
  return made;
}

function fill(pane, children) { pane.replaceChildren(...children); }

function table(rows, head) {
  const made = element('table'), body = element('tbody');
  const line = element('tr');
  for (const text of head) { const cell = element('th', text, 'dim'); cell.scope = 'col'; line.append(cell); }
  body.append(line);
  for (const cells of rows) {
    const row = element('tr');
    for (const cell of cells) {
      const made = element('td');
      if (cell instanceof Node) made.append(cell); else made.textContent = cell;
      row.append(made);
    }
    body.append(row);
  }
  made.append(body);
  return made;
}

// Rows of which only the visible ones are made.
class Rows {
  constructor(pane, count, make) {
    this.pane = pane; this.count = count; this.make = make;
    this.space = element('div');
    this.space.style.cssText = 'position:relative;height:' + Math.min(count * ROW, 15e6) + 'px';
    fill(pane, [this.space]);
    pane.onscroll = () => this.draw();
  }
  // Browsers have no room for more than some million pixels: then rows share them.
  get scale() { return Math.max(1, this.count * ROW / 15e6); }
  draw() {
    const first = Math.max(0, Math.floor(this.pane.scrollTop * this.scale / ROW) - 4);
    const shown = Math.ceil(this.pane.clientHeight / ROW) + 8;
    const rows = [];
    for (let i = first; i < Math.min(this.count, first + shown); i++) {
      const row = this.make(i);
      row.style.cssText = 'position:absolute;left:0;right:0;top:' + (this.pane.scrollTop + i * ROW - this.pane.scrollTop * this.scale) + 'px';
      rows.push(row);
    }
    fill(this.space, rows);
  }
  show(i) {
    const top = i * ROW / this.scale, { scrollTop, clientHeight } = this.pane;
    if (top < scrollTop + ROW || top > scrollTop + clientHeight - 2 * ROW) this.pane.scrollTop = Math.max(0, top - clientHeight / 3);
    this.draw();
  }
}

const lists = {};
function list(name, key, count, make) {
  if (!lists[name] || lists[name].key !== key) lists[name] = { key, rows: new Rows($(name), count, make) };
  lists[name].rows.make = make;
  return lists[name].rows;
}

function row(text, here) {
  const made = element('div', text, here ? 'row here' : 'row');
  if (here) made.setAttribute('aria-current', 'step');
  return made;
}

function showSource() {
  const { insns, files, sources } = run.data, insn = run.insn(step);
  const file = files[insns.file[insn]], line = insns.line[insn];
  const text = sources[file];
  if (text === undefined) {
    delete lists.source;
    fill($('source'), [element('div', file ? file + ':' + line : 'the program does not tell the line', 'wrap'), element('div', file ? 'The file was not found; --source names its folder.' : '', 'wrap dim')]);
    return;
  }
  const lines = text.split('\n');
  const make = i => row(String(i + 1).padStart(4) + '  ' + lines[i].replaceAll('\t', '    '), i + 1 === line);
  list('source', file, lines.length, make).show(line - 1);
}

function showCode() {
  const { insns } = run.data, insn = run.insn(step);
  const func = insns.place[insn].split('+0x')[0], rows = run.listing.get(func);
  if (!rows) {
    delete lists.code;
    return fill($('code'), [row(insns.pc[insn] + '  ' + insns.code[insn], true)]);
  }
  const at = rows.findIndex(one => one[0] === insns.pc[insn]);
  list('code', func, rows.length, i => row('0x' + rows[i][0] + '  ' + String(rows[i][3]).padStart(4) + '  ' + rows[i][2], i === at)).show(at);
}

function showFrames() {
  const rows = [], frames = run.frames(step);
  for (const i of frames) {
    const call = run.data.calls[i], names = call.names;
    const head = element('div', undefined, 'wrap');
    head.append(link(call.func, call.start), element('span', call.why === 'called' ? '' : '  ' + call.why, 'dim'));
    rows.push(head);
    call.args.forEach((value, n) => rows.push(element('div', '    ' + (names[n] || 'argument ' + (n + 1)) + ' = ' + value + '  (when called)', 'wrap')));
    for (const [name, { value, changed }] of run.variables(i, step)) rows.push(element('div', '    ' + name + ' = ' + value, changed ? 'wrap changed' : 'wrap'));
    if (call.results !== null && call.end !== null && step >= call.end - 1) rows.push(element('div', '    returns ' + call.results, 'wrap changed'));
  }
  fill($('frames'), rows.length ? rows : [element('div', 'no call is known here', 'wrap dim')]);
}

function showRegisters() {
  const rows = REGISTERS.map((name, n) => {
    const at = run.at('registers', n, step);
    return [name, element('span', at ? '0x' + at.value : '', at && at.changed ? 'changed' : ''), at && !at.changed ? link('#' + at.step, at.step) : ''];
  });
  const flags = run.flagsAt(step), marks = element('span');
  for (const [name, bit] of FLAGS) {
    const set = flags.value >> bit & 1, changed = flags.changed && set !== (flags.before >> bit & 1);
    marks.append(element('span', name + '=' + set + ' ', changed ? 'changed' : ''));
  }
  rows.push(['flags', marks, '']);
  for (let n = 0; n < 16; n++) {
    const at = run.at('vectors', n, step);
    if (at) rows.push(['X' + n, element('span', at.value, at.changed ? 'changed' : ''), at.changed ? '' : link('#' + at.step, at.step)]);
  }
  fill($('registers'), [table(rows, ['', 'value', 'since'])]);
}

// What a word of the stack is: by calls and records, or by the instruction that wrote it.
function meaning(addr, at) {
  const label = run.labelAt(addr, step);
  if (label) return label;
  if (!at || !run.data.words.written[at.row]) return '';
  const { place, code } = run.data.insns, insn = run.insn(Math.min(at.step, run.length - 1));
  if (/MOVQ BP, |PUSHQ BP/.test(code[insn])) return 'saved BP';
  return 'by ' + place[insn] + ': ' + code[insn];
}

function showStack() {
  const sp = run.at('registers', 4, step), bp = run.at('registers', 5, step);
  if (!sp) return fill($('stack'), []);
  const base = BigInt('0x' + sp.value) & ~7n, rows = [];
  for (let n = 0; n < STACK_WORDS; n++) {
    const addr = (base + BigInt(8 * n)).toString(16), at = run.at('words', addr, step);
    if (!at && n > 24) continue;
    const name = '0x' + addr + (n === 0 ? ' SP' : '') + (bp && bp.value === addr ? ' BP' : '');
    rows.push([name, element('span', at ? '0x' + at.value : '·', at && at.changed ? 'changed' : ''), meaning(addr, at)]);
  }
  fill($('stack'), [table(rows, ['address', 'value', 'what'])]);
}

function showEvents() {
  const { events } = run.data, last = count(run.eventSteps, step) - 1;
  const make = i => {
    const made = row('', i === last && events[i][0] === step);
    made.append(link('#' + events[i][0], events[i][0]), element('span', '  ' + events[i][2], i > last ? 'dim' : ''));
    return made;
  };
  const rows = list('events', 'all', events.length, make);
  if (last >= 0) rows.show(last); else rows.draw();
}

function showHeap() {
  const objects = run.data.objects, known = count(run.objectSteps, step);
  const rows = [];
  for (let i = known - 1; i >= 0 && rows.length < 60; i--) {
    const [at, addr, size, type] = objects[i], words = [];
    const base = BigInt('0x' + addr);
    let changed = false;
    for (let n = 0; n < Math.min(Math.ceil(size / 8), 6); n++) {
      const word = run.at('words', (base + BigInt(8 * n)).toString(16), step);
      words.push(word ? word.value : '·');
      changed ||= !!word && word.changed;
    }
    rows.push([link('#' + at, at), '0x' + addr, type || size + ' bytes', element('span', words.join(' ') + (size > 48 ? ' …' : ''), changed ? 'changed' : '')]);
  }
  fill($('heap'), rows.length ? [table(rows, ['step', 'address', 'type', 'words'])] : [element('div', 'nothing was allocated yet', 'wrap dim')]);
}

function drawLane() {
  const lane = $('lane'), width = lane.width = Math.max(1, lane.clientWidth * devicePixelRatio), ink = lane.getContext('2d');
  const x = at => Math.floor(at / Math.max(1, run.length - 1) * (width - 2));
  for (const [at, kind] of run.data.events) {
    ink.fillStyle = COLOURS[kind] || '#57606a';
    ink.fillRect(x(at), 3, 2, 16);
  }
  ink.fillStyle = getComputedStyle(document.body).color;
  ink.fillRect(x(step), 0, 2, 22);
}

function go(to, quiet) {
  step = Math.max(0, Math.min(run.length - 1, Math.floor(to) || 0));
  $('slider').value = step;
  const { place, code } = run.data.insns, insn = run.insn(step);
  const events = run.data.events.slice(count(run.eventSteps, step - 1), count(run.eventSteps, step)).map(event => event[2]);
  $('now').textContent = 'Step ' + step + ' of ' + (run.length - 1) + ': ' + place[insn] + '  ' + code[insn] + (events.length ? '  ; ' + events.join('; ') : '');
  for (const show of [showSource, showCode, showFrames, showRegisters, showStack, showEvents, showHeap, drawLane]) show();
  if (!quiet) history.replaceState(null, '', '#' + step);
}

const byEvent = by => {
  const n = by > 0 ? count(run.eventSteps, step) : count(run.eventSteps, step - 1) - 1;
  return run.eventSteps[n] ?? step;
};

const COMMANDS = {
  first: () => 0, last: () => run.length - 1, prev: () => step - 1, next: () => step + 1,
  nextline: () => run.byLine(step, 1), prevline: () => run.byLine(step, -1), down: () => run.into(step), up: () => run.outOf(step),
};
const KEYS = { ArrowLeft: 'prev', ArrowRight: 'next', n: 'nextline', p: 'prevline', d: 'down', u: 'up', Home: 'first', End: 'last' };

function search() {
  const text = $('search').value.trim();
  if (!text) return;
  const found = /^#?\d+$/.test(text) ? Number(text.replace('#', '')) : run.find(text, step);
  if (found < 0) $('now').textContent = 'Nothing has ' + text; else go(found);
}

function keyed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === $('search')) {
    if (event.key === 'Enter') search();
    if (event.key === 'Escape') $('search').blur();
    return;
  }
  const command = KEYS[event.key];
  if (command) go(COMMANDS[command]());
  else if (event.key === '/') $('search').focus();
  else if (event.key === 'e') go(byEvent(1));
  else if (event.key === 'E') go(byEvent(-1));
  else return;
  event.preventDefault();
}

async function unpack() {
  const bytes = Uint8Array.from(atob($('run').textContent.trim()), letter => letter.charCodeAt(0));
  const text = new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).text();
  return JSON.parse(await text);
}

async function start() {
  const begun = performance.now();
  const data = await unpack();
  run = new Run(data);
  $('title').textContent = data.func + '(' + data.args + ')';
  $('about').textContent = data.outcome + ' · ' + data.instructions + ' instructions' + (data.go ? ' · ' + data.go : '') + (data.program ? ' · ' + data.program : '');
  if (data.cut) { $('note').hidden = false; $('note').textContent = 'The run is longer than this page: it shows the first ' + run.length + ' steps.'; }
  fill($('output'), [data.stdout, data.stderr].filter(text => text).map(text => element('div', text, 'wrap')));
  if (!data.stdout && !data.stderr) fill($('output'), [element('div', 'the program printed nothing', 'wrap dim')]);
  if (!run.length) { $('now').textContent = 'No instruction ran.'; return; }
  $('slider').max = run.length - 1;
  $('slider').addEventListener('input', () => go($('slider').value));
  for (const [id, command] of Object.entries(COMMANDS)) $(id).addEventListener('click', () => go(command()));
  $('found').addEventListener('click', search);
  $('lane').addEventListener('click', event => go(event.offsetX / $('lane').clientWidth * (run.length - 1)));
  document.addEventListener('keydown', keyed);
  addEventListener('resize', drawLane);
  addEventListener('hashchange', () => go(location.hash.slice(1)));
  go(location.hash.slice(1), true);
  document.body.dataset.loaded = Math.round(performance.now() - begun);
}
start().catch(error => { $('note').hidden = false; $('note').textContent = 'This page could not be shown: ' + error; });

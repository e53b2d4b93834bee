'use strict';
// The state of the run at each step, from what the steps changed.

// Numbers are one text, with commas between them. Some are stored as differences.
function numbers(text, differences) {
  if (!text) return new Uint32Array(0);
  let length = 1;
  for (let i = text.indexOf(','); i >= 0; i = text.indexOf(',', i + 1)) length++;
  const all = new Uint32Array(length);
  let n = 0, value = 0, sign = 1, last = 0;
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : 44;
    if (code === 44) {
      last = sign * value + (differences ? last : 0);
      all[n++] = last;
      value = 0; sign = 1;
    } else if (code === 45) sign = -1;
    else value = value * 10 + code - 48;
  }
  return all;
}

const absolute = text => numbers(text, true);
const words = text => text ? text.split(',') : [];

// How many of the sorted numbers are at most this one.
function count(sorted, most) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= most) low = middle + 1; else high = middle;
  }
  return low;
}

// By key: the steps at which it changed, and where its values are.
function histories(steps, keys) {
  const all = new Map();
  for (let i = 0; i < steps.length; i++) {
    let history = all.get(keys[i]);
    if (!history) all.set(keys[i], history = { steps: [], rows: [] });
    history.steps.push(steps[i]);
    history.rows.push(i);
  }
  return all;
}

class Run {
  constructor(data) {
    this.data = data;
    this.texts = data.texts;
    this.steps = numbers(data.steps);
    this.length = this.steps.length;
    data.insns.file = numbers(data.insns.file);
    data.insns.line = numbers(data.insns.line);
    for (const name of ['registers', 'vectors', 'words']) {
      const column = data[name];
      column.value = words(column.value);
      column.history = histories(absolute(column.step), column.number === undefined ? words(column.addr) : numbers(column.number));
    }
    data.words.written = numbers(data.words.written);
    data.flags.steps = absolute(data.flags.step);
    data.flags.value = numbers(data.flags.value);
    data.calls = this.readCalls(data.calls);
    const events = data.events, kinds = numbers(events.kind), told = numbers(events.text);
    this.eventSteps = absolute(events.step);
    data.events = Array.from(this.eventSteps, (step, i) => [step, this.texts[kinds[i]], this.texts[told[i]]]);
    const objects = data.objects, sizes = words(objects.size), types = numbers(objects.type), places = words(objects.addr);
    data.objects = Array.from(absolute(objects.step), (step, i) => [step, places[i], Number(sizes[i]), this.texts[types[i]]]);
    this.objectSteps = data.objects.map(object => object[0]);
    const variables = data.variables;
    variables.steps = absolute(variables.step);
    variables.names = numbers(variables.name);
    variables.values = numbers(variables.value);
    variables.history = histories(variables.steps, absolute(variables.call));
    const labels = data.labels;
    labels.texts = numbers(labels.text);
    labels.history = histories(absolute(labels.step), words(labels.addr));
    this.findCalls();
    this.listing = new Map();
    for (const row of data.listing) {
      if (!this.listing.has(row[1])) this.listing.set(row[1], []);
      this.listing.get(row[1]).push(row);
    }
  }

  // Calls as objects. What may be missing is stored as 0, all else as one more.
  readCalls(columns) {
    const { texts } = this, { functions } = columns;
    const start = absolute(columns.start), length = numbers(columns.length), parent = numbers(columns.parent), func = numbers(columns.func);
    const count = numbers(columns.count), args = numbers(columns.args), results = numbers(columns.results), why = numbers(columns.why);
    let first = 0;
    return Array.from(start, (begin, i) => ({
      start: begin,
      end: length[i] ? begin + length[i] - 1 : null,
      parent: parent[i] ? parent[i] - 1 : null,
      func: functions[func[i]].name,
      names: functions[func[i]].parameters,
      args: Array.from(args.subarray(first, first += count[i]), text => texts[text]),
      results: results[i] ? texts[results[i] - 1] : null,
      why: texts[why[i]],
    }));
  }

  // The innermost call of each step.
  findCalls() {
    const { calls } = this.data;
    this.callOf = new Int32Array(this.length).fill(-1);
    const order = calls.map((call, i) => i).sort((a, b) => calls[a].start - calls[b].start || a - b);
    for (const i of order) {
      const end = calls[i].end === null ? this.length : Math.min(calls[i].end, this.length);
      // Calls inside come later, and take their part.
      if (calls[i].start < end) this.callOf.fill(i, calls[i].start, end);
    }
    // Other goroutines ran in between: what is theirs is not this call's.
    this.callStarts = calls.map(call => call.start);
  }

  insn(step) { return this.steps[step]; }

  // The value that a history has at a step, whether that step changed it, and when it was changed.
  at(column, key, step) {
    const history = this.data[column].history.get(key);
    if (!history) return null;
    const n = count(history.steps, step);
    if (n === 0) return null;
    return { value: this.data[column].value[history.rows[n - 1]], changed: history.steps[n - 1] === step, step: history.steps[n - 1], row: history.rows[n - 1] };
  }

  flagsAt(step) {
    const { steps, value } = this.data.flags;
    const n = count(steps, step);
    return n ? { value: value[n - 1], before: n > 1 ? value[n - 2] : 0, changed: steps[n - 1] === step } : { value: 0, before: 0, changed: false };
  }

  labelAt(addr, step) {
    const { history, texts } = this.data.labels, label = history.get(addr);
    const n = label ? count(label.steps, step + 1) : 0;
    return n ? this.texts[texts[label.rows[n - 1]]] : '';
  }

  // The calls around a step, innermost first.
  frames(step) {
    const frames = [];
    for (let i = this.callOf[step]; i >= 0 && frames.length < 200; i = this.data.calls[i].parent ?? -1) frames.push(i);
    return frames;
  }

  // Variables of a call, as they are at a step.
  variables(call, step) {
    const { history, names, values } = this.data.variables, found = new Map(), own = history.get(call);
    const known = own ? count(own.steps, step) : 0;
    for (let i = 0; i < known; i++) {
      const row = own.rows[i];
      found.set(this.texts[names[row]], { value: this.texts[values[row]], changed: own.steps[i] === step });
    }
    return found;
  }

  depth(step) { return this.frames(step).length; }

  line(step) {
    const { file, line } = this.data.insns, insn = this.insn(step);
    return file[insn] + ':' + line[insn];
  }

  // The next step on another line of the same call, or in a call around it.
  byLine(step, by) {
    const depth = this.depth(step), line = this.line(step);
    let at = step + by;
    while (at > 0 && at < this.length - 1 && (this.depth(at) > depth || (this.depth(at) === depth && this.line(at) === line))) at += by;
    if (by < 0) {
      // To the first step of that line.
      const there = this.depth(at), first = this.line(at);
      while (at > 0 && this.depth(at - 1) === there && this.line(at - 1) === first) at--;
    }
    return at;
  }

  // The first step of the next call.
  into(step) {
    const n = count(this.callStarts, step);
    return n < this.callStarts.length ? this.callStarts[n] : this.length - 1;
  }

  // The step after the call that a step is in.
  outOf(step) {
    const call = this.data.calls[this.callOf[step]];
    return call && call.end !== null ? call.end : this.length - 1;
  }

  // The next step about which something has this text.
  find(text, from) {
    const wanted = text.toLowerCase(), { place, code } = this.data.insns;
    const found = place.map((name, i) => (name + ' ' + code[i]).toLowerCase().includes(wanted));
    let step = -1;
    for (let i = 1; i <= this.length && step < 0; i++) if (found[this.steps[(from + i) % this.length]]) step = (from + i) % this.length;
    const events = this.data.events.filter(event => (event[1] + ' ' + event[2]).toLowerCase().includes(wanted)).map(event => event[0]);
    const event = events.find(at => at > from) ?? events[0];
    if (event === undefined) return step;
    const distance = at => (at - from + this.length) % this.length || this.length;
    return step < 0 || distance(event) < distance(step) ? event : step;
  }
}

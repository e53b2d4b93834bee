//! The tree of calls, followed block by block: cheaper than a trace, which looks at every instruction.

use iced_x86::{FlowControl, Instruction, Mnemonic};
use rustc_hash::FxHashMap;

use crate::cpu::gpr;
use crate::observe::{Event, View};

/// The number of a node of a [`Tree`].
pub(super) type Node = u32;

/// The node that is no call.
pub(super) const ROOT: Node = 0;

/// Calls deeper than this are counted with their callers.
const MAX_DEPTH: usize = 1 << 16;
/// Nodes of a tree: a recursion makes one for each depth that it comes to.
const MAX_NODES: usize = 1 << 22;

/// All ways in which functions were called.
pub(super) struct Tree {
    /// By number: the call around each, the address of the CALL there, and the function's.
    nodes: Vec<(Node, u64, u64)>,
    known: FxHashMap<(Node, u64, u64), Node>,
}

impl Tree {
    /// The call around a node, and the address of the CALL there; `None` of the root.
    pub(super) fn parent(&self, node: Node) -> Option<(Node, u64)> {
        let (parent, site, _) = *self.nodes.get(node as usize).filter(|_| node != ROOT)?;
        Some((parent, site))
    }

    /// The call of the function at `entry` that the CALL at `site` makes.
    fn child(&mut self, parent: Node, site: u64, entry: u64) -> Node {
        let next = self.nodes.len();
        if next >= MAX_NODES {
            return self.known.get(&(parent, site, entry)).copied().unwrap_or(parent);
        }
        let node = *self.known.entry((parent, site, entry)).or_insert(next as Node);
        if node as usize == next {
            self.nodes.push((parent, site, entry));
        }
        node
    }

    /// The node of this tree for one of another's. `known` has those that were asked for before.
    pub(super) fn adopt(&mut self, other: &Tree, node: Node, known: &mut FxHashMap<Node, Node>) -> Node {
        let mut path = Vec::new();
        let mut at = node;
        while at != ROOT && !known.contains_key(&at) {
            path.push(at);
            at = other.parent(at).map_or(ROOT, |(parent, _)| parent);
        }
        let mut own = known.get(&at).copied().unwrap_or(ROOT);
        for node in path.into_iter().rev() {
            if let Some(&(_, site, entry)) = other.nodes.get(node as usize) {
                own = self.child(own, site, entry);
                known.insert(node, own);
            }
        }
        own
    }
}

impl Default for Tree {
    fn default() -> Tree {
        Tree { nodes: vec![(ROOT, 0, 0)], known: FxHashMap::default() }
    }
}

#[derive(Clone, Copy)]
struct Frame {
    node: Node,
    /// Where its return address is.
    sp: u64,
    /// Where its function begins and ends.
    func: (u64, u64),
}

/// The calls of one stack, and those of the runtime's own stack while it runs there.
#[derive(Default)]
struct Stack {
    calls: Vec<Frame>,
    system: Vec<Frame>,
}

/// Follows the calls of a run.
#[derive(Default)]
pub(super) struct Calls {
    pub(super) tree: Tree,
    now: Stack,
    suspended: FxHashMap<u64, Stack>,
    /// The address of a CALL that was executed last.
    call: Option<u64>,
    /// Where the goroutine's stack is.
    bounds: (u64, u64),
}

impl Calls {
    /// Before a block: the call that it belongs to.
    pub(super) fn block(&mut self, at: &View<'_>, insns: &[Instruction]) -> Node {
        let node = self.sync(at);
        self.call = insns.last().filter(|insn| is_call(insn)).map(Instruction::ip);
        node
    }

    /// An event: the call that the runtime is at work in.
    pub(super) fn event(&mut self, at: &View<'_>, event: &Event) -> Node {
        match event {
            Event::CallBegins { .. } => {
                (self.now, self.call) = (Stack::default(), None);
                self.suspended.clear();
                self.bounds = bounds(at);
            }
            Event::StackMoved { from, to } => {
                let moved = |frame: &mut Frame| frame.sp = frame.sp.wrapping_add(to.wrapping_sub(*from));
                self.now.calls.iter_mut().for_each(moved);
                self.bounds = bounds(at);
            }
            Event::GoroutineSwitched { from, to } => {
                let stack = self.suspended.remove(to).unwrap_or_default();
                self.suspended.insert(*from, std::mem::replace(&mut self.now, stack));
                self.call = None;
                self.bounds = (0, 0);
                return self.top();
            }
            Event::CallEnded(_) => return self.top(),
            _ => {}
        }
        self.sync(at)
    }

    fn top(&self) -> Node {
        let Stack { calls, system } = &self.now;
        system.last().or(calls.last()).map_or(ROOT, |frame| frame.node)
    }

    /// Brings the calls to where RIP and RSP are.
    fn sync(&mut self, at: &View<'_>) -> Node {
        let (sp, pc) = (at.cpu.gpr(gpr::RSP), at.cpu.rip);
        if !(self.bounds.0..self.bounds.1).contains(&sp) {
            self.bounds = bounds(at);
        }
        let is_own = (self.bounds.0..self.bounds.1).contains(&sp);
        let around = self.now.calls.last().map_or(ROOT, |frame| frame.node);
        let (frames, base) = if is_own {
            self.now.system.clear();
            (&mut self.now.calls, ROOT)
        } else {
            (&mut self.now.system, around)
        };
        while frames.pop_if(|frame| frame.sp < sp).is_some() {}
        let site = self.call.take();
        let top = frames.last().copied();
        let inside = top.filter(|top| (top.func.0..top.func.1).contains(&pc));
        // A CALL makes a call also of the function that it is in; other ways into a function are jumps.
        if let (Some(inside), None) = (inside, site) {
            return inside.node;
        }
        let Some(func) = at.image.func_at(pc).map(|func| (func.entry(), func.end())) else {
            return top.map_or(base, |top| top.node);
        };
        if let (Some(top), None) = (top, site)
            && top.sp == sp
        {
            // A jump from the end of one function to another.
            let (parent, site) = self.tree.parent(top.node).unwrap_or((ROOT, 0));
            let node = self.tree.child(parent, site, func.0);
            frames.pop();
            frames.push(Frame { node, sp, func });
            return node;
        }
        let parent = top.map_or(base, |top| top.node);
        let node = self.tree.child(parent, site.unwrap_or(0), func.0);
        if frames.len() < MAX_DEPTH {
            frames.push(Frame { node, sp, func });
        }
        node
    }
}

/// Where the goroutine's stack is.
fn bounds(at: &View<'_>) -> (u64, u64) {
    let g = &at.image.facts().g;
    let word = |field: u64| at.memory.read(at.g.wrapping_add(field)).map_or(0, u64::from_le_bytes);
    (word(g.stack_lo), word(g.stack_hi))
}

fn is_call(insn: &Instruction) -> bool {
    matches!(insn.flow_control(), FlowControl::Call | FlowControl::IndirectCall)
        && insn.mnemonic() == Mnemonic::Call
}

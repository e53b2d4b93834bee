//! The heap of hooked calls: memory handed out from the bottom up, and what a collection found to be free.
//!
//! Of every object it is known where it begins and whether it may hold pointers, as bits beside guest memory. What lies below
//! the end of the state that calls start from is never freed: going back to that state cuts the tables off there.

use std::ops::Range;
use std::sync::Arc;

use goemu_loader::facts::Growth;

use crate::go::guest::HeapError;
use crate::guest::arena::Arena;
use crate::memory::{Memory, PAGE};

/// What objects are aligned to, at least.
const GRANULE: u64 = 8;
/// Granules of a page.
const GRANULES: u64 = PAGE / GRANULE;
const WORDS: usize = (GRANULES / 64) as usize;
/// Bytes after which a collection is worth its time, where the limit of memory allows for that.
const PLENTY: u64 = 64 << 20;
/// The part of all memory after which it is done, where there is little.
const PART: u64 = 8;
/// Bytes of a large object. It is looked for in this many gaps; smaller ones are put in the last, or that is forgotten.
const LARGE: u64 = 4096;
const TRIES: usize = 64;

/// What an object is to a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of the program; it may hold pointers.
    Pointers,
    /// Of the program, without pointers.
    Data,
    /// Of goemu, which alone knows whether it is used: it stays, and may hold pointers.
    Fixed,
    /// None: free memory.
    Free,
}

/// The objects of one page.
#[derive(Clone, Debug)]
struct Objects {
    /// The granule where the object begins that the page begins within, counted from the start of the heap.
    before: u64,
    /// The granules where objects begin, and two bits of the kind of each.
    begin: [u64; WORDS],
    low: [u64; WORDS],
    high: [u64; WORDS],
}

/// A heap.
#[derive(Debug)]
pub(crate) struct Heap {
    fresh: Arena,
    pages: Vec<Objects>,
    /// Free memory between objects, by falling addresses.
    gaps: Vec<Range<u64>>,
    /// Bytes of the program's objects since the last collection, and how many there may be before the next.
    since: u64,
    most: u64,
    /// What lies below is never freed.
    kept: u64,
    /// Objects that were made, and objects and bytes that were freed.
    made: u64,
    freed: (u64, u64),
    /// Goemu holds addresses that a collection would not find.
    pub(crate) held: bool,
    /// Heaps of one origin have the same objects below `kept`.
    origin: Arc<()>,
}

impl Heap {
    pub(crate) fn new(range: Range<u64>, space: u64) -> Heap {
        let fresh = Arena::new(range, space);
        Heap {
            kept: fresh.first(),
            fresh,
            pages: Vec::new(),
            gaps: Vec::new(),
            since: 0,
            most: PLENTY,
            made: 0,
            freed: (0, 0),
            held: false,
            origin: Arc::default(),
        }
    }

    /// Where it begins.
    pub(crate) fn start(&self) -> u64 {
        self.fresh.first()
    }

    /// Where the part ends that was handed out.
    pub(crate) fn top(&self) -> u64 {
        self.fresh.rest().start
    }

    /// What was never handed out.
    pub(crate) fn rest(&self) -> Range<u64> {
        self.fresh.rest()
    }

    /// Maps the first step, where there is room.
    pub(crate) fn prepare(&mut self, memory: &mut Memory) {
        let _ = self.fresh.reach(memory, self.start() + 1);
    }

    /// Objects that were made and that were freed, bytes in use, bytes that were freed, bytes mapped: of objects, as many
    /// bytes as Go's allocator gives them.
    pub(crate) fn uses(&self, sizes: Growth) -> [u64; 5] {
        let (objects, freed) = self.freed;
        let (mut used, mut last) = (0, None);
        for next in self.all().chain([(self.granules(), Kind::Free)]) {
            if let Some((granule, kind)) = last.replace(next) {
                used += taken(sizes, (next.0 - granule) * GRANULE, kind);
            }
        }
        [self.made, objects, used, freed, (self.fresh.mapped() - self.start()).max(used)]
    }

    /// How many objects and pages there are: what [`Heap::uses`] takes.
    pub(crate) fn records(&self) -> u64 {
        self.made - self.freed.0 + self.pages.len() as u64
    }

    /// `size` zero bytes, more than none, at a multiple of `align`.
    pub(crate) fn take(
        &mut self,
        memory: &mut Memory,
        size: u64,
        align: u64,
        kind: Kind,
    ) -> Result<u64, HeapError> {
        let (at, whole) = match self.take_gap(memory, size, align)? {
            Some(place) => place,
            None => (self.fresh.take(memory, size, align)?, size),
        };
        self.made += 1;
        self.record(at, whole, kind);
        if kind != Kind::Fixed {
            self.since = self.since.saturating_add(size);
        }
        Ok(at)
    }

    /// What may be handed out in order before it is [taken](Heap::take) here: memory that was never handed out, as much as may be until a
    /// collection is due.
    #[inline]
    pub(crate) fn in_order(&self) -> Range<u64> {
        let at = self.top();
        if self.gaps.is_empty() {
            at..self.fresh.mapped().min(at + self.most.saturating_sub(self.since))
        } else {
            0..0
        }
    }

    /// Free memory that a collection found, and how much of it the object has with what aligns the next one.
    fn take_gap(
        &mut self,
        memory: &mut Memory,
        size: u64,
        align: u64,
    ) -> Result<Option<(u64, u64)>, HeapError> {
        let align = align.max(GRANULE);
        let mut tries = TRIES;
        let mut index = self.gaps.len();
        while index > 0 && tries > 0 {
            (index, tries) = (index - 1, tries - 1);
            let Some(gap) = self.gaps.get(index).cloned() else { break };
            let Some(at) = placed(&gap, size, align) else {
                if size < LARGE {
                    self.gaps.remove(index);
                }
                continue;
            };
            // From its end: what is left begins where it began, and nothing is noted of its pages anew.
            if at > gap.start {
                self.gaps[index].end = at;
            } else {
                self.gaps.remove(index);
            }
            clear(memory, at..at + size).ok_or(HeapError::OutOfMemory(size))?;
            return Ok(Some((at, gap.end - at)));
        }
        Ok(None)
    }

    /// Notes that an object begins at an address.
    fn record(&mut self, at: u64, size: u64, kind: Kind) {
        let granule = (at - self.start()) / GRANULE;
        let last = (at + size.max(1) - 1 - self.start()) / PAGE;
        let page = granule / GRANULES;
        for index in page + 1..=last {
            match self.pages.get_mut(index as usize) {
                Some(page) => page.before = granule,
                None => self.push_pages(index, granule),
            }
        }
        if self.pages.len() as u64 <= page {
            self.push_pages(page, u64::MAX);
        }
        if let Some(page) = self.pages.get_mut(page as usize) {
            page.set(granule % GRANULES, kind);
        }
    }

    /// Adds pages up to this one; what begins before them reaches into them.
    fn push_pages(&mut self, upto: u64, before: u64) {
        let empty = Objects { before, begin: [0; WORDS], low: [0; WORDS], high: [0; WORDS] };
        self.pages.resize(upto as usize + 1, empty);
    }

    /// The object that an address lies in: the granule where it begins, and its kind.
    pub(crate) fn find(&self, addr: u64) -> Option<(u64, Kind)> {
        if addr < self.start() || addr >= self.top() {
            return None;
        }
        let granule = (addr - self.start()) / GRANULE;
        let page = self.pages.get((granule / GRANULES) as usize)?;
        if let Some(at) = page.last_upto(granule % GRANULES) {
            return Some((granule - granule % GRANULES + at, page.kind(at)));
        }
        let before = self.pages.get((page.before / GRANULES) as usize)?;
        Some((page.before, before.kind(page.before % GRANULES)))
    }

    /// The beginning of the object at an address that lies in one.
    pub(crate) fn base(&self, addr: u64) -> Option<u64> {
        let (granule, kind) = self.find(addr)?;
        (kind != Kind::Free).then(|| self.address(granule))
    }

    /// The address of a granule.
    pub(crate) fn address(&self, granule: u64) -> u64 {
        self.start() + granule * GRANULE
    }

    /// How many granules there are.
    pub(crate) fn granules(&self) -> u64 {
        (self.top() - self.start()).div_ceil(GRANULE)
    }

    /// Where the object ends that begins at a granule.
    pub(crate) fn end_of(&self, granule: u64) -> u64 {
        let (mut page, mut from) = (granule / GRANULES, granule % GRANULES + 1);
        while let Some(objects) = self.pages.get(page as usize) {
            if let Some(next) = objects.first_from(from) {
                return self.address(page * GRANULES + next);
            }
            (page, from) = (page + 1, 0);
        }
        self.top()
    }

    /// All objects by their addresses: the granules where they begin, and their kinds.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u64, Kind)> {
        (0..).zip(&self.pages).flat_map(|(index, page)| {
            let base = index * GRANULES;
            page.all().map(move |at| (base + at, page.kind(at)))
        })
    }

    /// Whether objects of this address stay without references.
    pub(crate) fn is_kept(&self, addr: u64) -> bool {
        addr < self.kept
    }

    /// All that is here now stays.
    pub(crate) fn keep(&mut self) {
        (self.kept, self.since) = (self.top(), 0);
        self.gaps.clear();
    }

    /// Whether there should be a collection before more is handed out.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.since >= self.most && !self.held
    }

    /// Less memory than usual: collections come sooner.
    pub(crate) fn limit(&mut self, limit: u64) {
        self.most = PLENTY.min(limit / PART);
    }

    /// Frees the program's objects for which `is_free` holds of the granule where they begin, and that are not kept.
    pub(crate) fn sweep(&mut self, limit: u64, sizes: Growth, is_free: impl Fn(u64) -> bool) {
        let mut gaps: Vec<Range<u64>> = Vec::new();
        let (mut open, mut last, mut live) = (None::<Range<u64>>, None, 0);
        for index in 0..=self.pages.len() {
            // The objects as they were, and behind the last page the end.
            let page = self.pages.get(index).cloned();
            let base = index as u64 * GRANULES;
            let found: Vec<(u64, Kind)> = match &page {
                Some(page) => page.all().map(|at| (base + at, page.kind(at))).collect(),
                None => vec![(self.granules(), Kind::Fixed)],
            };
            for next in found {
                let Some((granule, kind)) = last.replace(next) else { continue };
                let range = self.address(granule)..self.address(next.0);
                if self.is_kept(range.start) {
                    continue;
                }
                let dies = matches!(kind, Kind::Pointers | Kind::Data) && is_free(granule);
                if dies {
                    self.freed.0 += 1;
                    self.freed.1 += taken(sizes, range.end - range.start, kind);
                }
                match &mut open {
                    _ if !dies && kind != Kind::Free => {
                        live += range.end - range.start;
                        gaps.extend(open.take());
                    }
                    Some(gap) => {
                        gap.end = range.end;
                        self.forget(granule);
                    }
                    None => open = Some(range),
                }
            }
        }
        // What is handed out next may begin within the last granule.
        let whole = self.top() - self.top() % GRANULE;
        gaps.extend(open.map(|gap| gap.start..gap.end.min(whole)));
        for gap in &gaps {
            self.record(gap.start, gap.end - gap.start, Kind::Free);
        }
        gaps.reverse();
        (self.gaps, self.since) = (gaps, 0);
        self.most = PLENTY.min(limit / PART).max(live.min(limit.saturating_sub(live) / 2));
    }

    fn forget(&mut self, granule: u64) {
        if let Some(page) = self.pages.get_mut((granule / GRANULES) as usize) {
            page.clear(granule % GRANULES);
        }
    }
}

impl Objects {
    fn set(&mut self, at: u64, kind: Kind) {
        let (word, bit) = ((at / 64) as usize, 1 << (at % 64));
        self.begin[word] |= bit;
        let put = |words: &mut [u64; WORDS], set: bool| {
            if set { words[word] |= bit } else { words[word] &= !bit }
        };
        put(&mut self.low, matches!(kind, Kind::Data | Kind::Free));
        put(&mut self.high, matches!(kind, Kind::Fixed | Kind::Free));
    }

    fn clear(&mut self, at: u64) {
        self.begin[(at / 64) as usize] &= !(1 << (at % 64));
    }

    fn kind(&self, at: u64) -> Kind {
        let (word, bit) = ((at / 64) as usize, at % 64);
        match (self.high[word] >> bit & 1, self.low[word] >> bit & 1) {
            (0, 0) => Kind::Pointers,
            (0, _) => Kind::Data,
            (_, 0) => Kind::Fixed,
            _ => Kind::Free,
        }
    }

    /// The last object that begins there or before.
    fn last_upto(&self, at: u64) -> Option<u64> {
        let word = (at / 64) as usize;
        let upto = self.begin[word] & (u64::MAX >> (63 - at % 64));
        let words = std::iter::once(upto).chain(self.begin[..word].iter().rev().copied());
        let found = (0..).zip(words).find(|(_, bits)| *bits != 0);
        found.map(|(back, bits)| (word as u64 - back) * 64 + u64::from(bits.ilog2()))
    }

    /// The first object that begins there or after.
    fn first_from(&self, at: u64) -> Option<u64> {
        let word = (at / 64) as usize;
        let from = self.begin.get(word)? & (u64::MAX << (at % 64));
        let words = std::iter::once(from).chain(self.begin[word + 1..].iter().copied());
        let found = (0..).zip(words).find(|(_, bits)| *bits != 0);
        found.map(|(on, bits)| (word as u64 + on) * 64 + u64::from(bits.trailing_zeros()))
    }

    fn all(&self) -> impl Iterator<Item = u64> {
        (0..).zip(self.begin).flat_map(|(word, mut bits)| {
            std::iter::from_fn(move || {
                let bit = (bits != 0).then(|| u64::from(bits.trailing_zeros()))?;
                bits &= bits - 1;
                Some(64 * word + bit)
            })
        })
    }
}

/// Makes memory zero again that was used.
fn clear(memory: &mut Memory, range: Range<u64>) -> Option<()> {
    const ZERO: [u8; PAGE as usize] = [0; PAGE as usize];
    let mut at = range.start;
    while at < range.end {
        let len = (range.end - at).min(PAGE);
        memory.write_bytes(at, ZERO.get(..len as usize)?).ok()?;
        at += len;
    }
    Some(())
}

impl Clone for Heap {
    fn clone(&self) -> Heap {
        let mut heap = Heap { fresh: self.fresh.clone(), ..Heap::new(0..0, u64::MAX) };
        heap.clone_from(self);
        heap
    }

    /// Going back to the state that calls start from: what is new since then is behind what was there.
    fn clone_from(&mut self, from: &Heap) {
        // All by name, so that a new one cannot be forgotten.
        let &Heap { ref fresh, ref pages, ref gaps, ref origin, since, most, kept, made, freed, held } = from;
        if Arc::ptr_eq(&self.origin, origin) && kept == from.top() {
            self.pages.truncate(pages.len());
            if let (Some(own), Some(last)) = (self.pages.last_mut(), pages.last()) {
                own.clone_from(last);
            }
        } else {
            self.pages.clone_from(pages);
            self.origin = Arc::clone(origin);
        }
        if !self.gaps.is_empty() || !gaps.is_empty() {
            self.gaps.clone_from(gaps);
        }
        self.fresh.clone_from(fresh);
        (self.since, self.most, self.kept) = (since, most, kept);
        (self.made, self.freed, self.held) = (made, freed, held);
    }
}

/// Where so many bytes begin at a multiple of `align`, as near to the end of a gap as they can. `None` where they do not fit.
fn placed(gap: &Range<u64>, size: u64, align: u64) -> Option<u64> {
    let last = gap.end.checked_sub(size)?;
    let at = last - last % align;
    (at >= gap.start).then_some(at)
}

/// The bytes that Go's allocator gives an object.
fn taken(sizes: Growth, bytes: u64, kind: Kind) -> u64 {
    match kind {
        Kind::Free => 0,
        Kind::Data => sizes.taken(bytes, false),
        Kind::Pointers | Kind::Fixed => sizes.taken(bytes, true),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn heap() -> (Memory, Heap) {
        let memory = Memory::new(1 << 30).unwrap();
        let heap = Heap::new(0x1000_0000..0x8000_0000, memory.space());
        (memory, heap)
    }

    #[test]
    fn addresses_inside_of_objects_lead_to_their_beginnings() {
        let (mut memory, mut heap) = heap();
        let sizes = [8, 1, 24, 4096, 16, 100_000, 3, 8192, 4088, 8, 1 << 20, 8];
        let made: Vec<(u64, u64)> =
            sizes.iter().map(|&size| (heap.take(&mut memory, size, 8, Kind::Data).unwrap(), size)).collect();
        for (at, size) in made {
            for addr in [at, at + size / 2, at + size - 1] {
                assert_eq!(heap.base(addr), Some(at), "{size} bytes at {at:#x}, {addr:#x}");
            }
            let (granule, kind) = heap.find(at).unwrap();
            assert_eq!(
                (kind, heap.end_of(granule)),
                (Kind::Data, (at + size).next_multiple_of(8).min(heap.top()))
            );
        }
        assert_eq!(heap.find(heap.start() - 1), None);
        assert_eq!(heap.find(heap.top()), None);
    }

    #[test]
    fn what_is_free_is_handed_out_again_as_zero() {
        let (mut memory, mut heap) = heap();
        let take =
            |heap: &mut Heap, memory: &mut Memory, size| heap.take(memory, size, 8, Kind::Pointers).unwrap();
        let kept = take(&mut heap, &mut memory, 64);
        heap.keep();
        let origin = heap.clone();
        let made: Vec<u64> = (0..1000).map(|n| take(&mut heap, &mut memory, 8 + 8 * n)).collect();
        made.iter().for_each(|at| memory.write(*at, [0xff; 8]).unwrap());
        let lives: Vec<u64> = made.iter().copied().step_by(3).collect();
        let granule = |heap: &Heap, at: u64| heap.find(at).unwrap().0;
        let marked: Vec<u64> = lives.iter().map(|at| granule(&heap, *at)).collect();
        let end = heap.top();
        heap.sweep(1 << 30, Growth::of(27), |granule| !marked.contains(&granule));
        for size in [8, 16, 40, 24, 100] {
            let at = take(&mut heap, &mut memory, size);
            assert!(at > kept && at < end, "{size}: {at:#x}");
            assert_eq!(memory.read(at).unwrap(), [0; 8]);
            assert!(lives.iter().all(|live| heap.base(*live) == Some(*live)));
            assert_eq!(heap.base(at + size - 1), Some(at));
        }
        assert!(lives.iter().all(|at| memory.read(*at).unwrap() == [0xff; 8]));
        heap.clone_from(&origin);
        assert_eq!((heap.top(), heap.base(kept + 8), heap.base(made[1])), (kept + 64, Some(kept), None));
        let again = take(&mut heap, &mut memory, 8);
        assert_eq!((again, heap.base(again)), (kept + 64, Some(again)));
    }

    #[test]
    fn sizes_near_the_end_of_numbers_fit_nowhere() {
        let (mut memory, mut heap) = heap();
        heap.take(&mut memory, 4096, 8, Kind::Data).unwrap();
        heap.take(&mut memory, 8, 8, Kind::Data).unwrap();
        heap.sweep(1 << 30, Growth::of(27), |granule| granule == 0);
        for size in [u64::MAX, u64::MAX - 7, u64::MAX - 4096, 1 << 63] {
            let taken = heap.take(&mut memory, size, 8, Kind::Data);
            assert!(matches!(taken, Err(HeapError::OutOfMemory(_))), "{size:#x}: {taken:?}");
        }
        let at = heap.take(&mut memory, 64, 8, Kind::Data);
        assert_eq!(at, Ok(heap.start() + 4096 - 64), "the gap is still there");
    }

    #[test]
    fn small_objects_in_a_large_gap_touch_no_more_than_their_pages() {
        let (mut memory, mut heap) = heap();
        let large = heap.take(&mut memory, 256 << 20, 8, Kind::Data).unwrap();
        let last = heap.take(&mut memory, 3, 1, Kind::Data).unwrap();
        heap.sweep(1 << 30, Growth::of(27), |_| true);
        // With a look at all pages of the gap each time, this takes minutes.
        let made: Vec<u64> =
            (0..200_000).map(|_| heap.take(&mut memory, 40, 16, Kind::Data).unwrap()).collect();
        assert!(made.iter().all(|&at| at >= large && at + 40 <= last));
        assert!(made.windows(2).all(|two| two[1] + 40 <= two[0] && heap.base(two[0] + 39) == Some(two[0])));
        assert_eq!(heap.base(large), None, "what is left is free");
        let next = heap.take(&mut memory, 300 << 20, 1, Kind::Fixed).unwrap();
        assert_eq!(next, last + 3, "what does not fit follows");
    }
}

//! Memory for when there is none: the allocator of psc's own code.
//!
//! Stable Rust ends the process where an allocation fails. psc's calls therefore take address space aside before they begin
//! (and refuse to begin without), and what `malloc` refuses meanwhile is served from it. The host lives, and the call goes on
//! or ends in order. Nothing of a reserve is touched, so nothing of it is in memory, as long as `malloc` serves.
//!
//! There is no lock, for a child that is forked meanwhile, and nothing is kept by thread: for a library that was loaded late,
//! glibc gets a thread's own data from `malloc` at its first use, and ends the process where that fails.

use super::thread;
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What one call may need: twice what the most costly one takes when nothing of it is used again (a test below measures it).
pub const OF_A_CALL: usize = 8 * 1024 * 1024;
/// For what cannot refuse to begin: `psc_stop`, `psc_free`, and the words for a refusal.
const OF_A_HANDLE: usize = 64 * 1024;
/// For `psc_commit`, which needs little and cannot refuse: the words of two warnings.
const OF_A_CONFIGURATION: usize = 128 * 1024;

/// Reserves at a time: calls under way, handles, and those of ended calls that have left something in theirs.
const PLACES: usize = 8192;
/// No page is larger.
const PAGE: usize = 64 * 1024;
/// In which the length of an extent is counted. An extent begins at a multiple of it, and has less than so many.
const UNIT: usize = 4096;

/// `Reserve::owner` of a reserve that serves whoever has none, or none with room.
const EVERYBODY: usize = usize::MAX;
const NOBODY: usize = 0;

/// `claims` of a place: nobody's; being made or given up; its holder's; with one block in use.
const FREE: usize = 0;
const CHANGING: usize = 1;
const HELD: usize = 2;
const ONE_BLOCK: usize = 3;

/// Blocks that are in use, in all reserves.
static BLOCKS: AtomicUsize = AtomicUsize::new(0);
/// How many of the places have ever been used.
static USED: AtomicUsize = AtomicUsize::new(0);
/// Memory has run out before, as far as psc has seen.
static EVER_SHORT: AtomicBool = AtomicBool::new(false);
static RESERVES: [Place; PLACES] = [const { Place::new() }; PLACES];

struct Place {
    /// 1 for the place being taken, 1 for its holder, 1 for each block in use.
    claims: AtomicUsize,
    /// Begin of the address space, plus the number of units that it has.
    extent: AtomicUsize,
    /// The thread that is served.
    owner: AtomicUsize,
    /// The first byte that is not given away.
    next: AtomicUsize,
    /// Memory has run out in the owner's calls.
    short: AtomicBool,
}

/// The allocator: `malloc`, and the reserves behind it.
struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

// SAFETY: every block is `malloc`'s, or lies in a reserve that nobody else has been given a part of, until it is given back.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        #[cfg(test)]
        tests::count(layout.size());
        // SAFETY: the caller's promise.
        let block = unsafe { System.alloc(layout) };
        if block.is_null() {
            from_reserve(layout)
        } else {
            block
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        #[cfg(test)]
        tests::count(layout.size());
        // SAFETY: the caller's promise.
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() {
            return block;
        }
        let block = from_reserve(layout);
        if !block.is_null() {
            // SAFETY: a block of that size.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match place_of(block) {
            Some(place) => place.give_back(block.addr(), layout.size()),
            // SAFETY: not of a reserve, so `malloc`'s.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        #[cfg(test)]
        tests::count(new_size);
        if let Some(place) = place_of(block) {
            if new_size <= layout.size() || place.extend(block.addr(), layout.size(), new_size) {
                return block;
            }
        } else {
            // SAFETY: `malloc`'s; the caller's promise.
            let moved = unsafe { System.realloc(block, layout, new_size) };
            if !moved.is_null() {
                return moved;
            }
            if new_size <= layout.size() {
                return block;
            }
        }
        // SAFETY: the size is not zero and does not overflow: the caller's promise. The new block is larger, and another.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, layout.size());
                self.dealloc(block, layout);
            }
            new
        }
    }
}

fn places() -> &'static [Place] {
    RESERVES
        .get(..USED.load(Ordering::Acquire))
        .unwrap_or_default()
}

fn owned_by(owner: usize) -> impl Iterator<Item = &'static Place> {
    places()
        .iter()
        .filter(move |place| place.owner.load(Ordering::Acquire) == owner)
}

fn from_reserve(layout: Layout) -> *mut u8 {
    for owner in [thread::mark(), EVERYBODY] {
        for place in owned_by(owner) {
            if let Some(address) = place.take(layout, owner) {
                return ptr::with_exposed_provenance_mut(address);
            }
        }
    }
    ptr::null_mut()
}

/// The reserve that a block lies in.
fn place_of(block: *mut u8) -> Option<&'static Place> {
    // Whoever has a block of a reserve has seen the count that it is part of.
    if BLOCKS.load(Ordering::Relaxed) == 0 {
        return None;
    }
    places().iter().find(|place| place.contains(block.addr()))
}

impl Place {
    const fn new() -> Place {
        Place {
            claims: AtomicUsize::new(FREE),
            extent: AtomicUsize::new(0),
            owner: AtomicUsize::new(NOBODY),
            next: AtomicUsize::new(0),
            short: AtomicBool::new(false),
        }
    }

    /// Begin and end, read at once: other places change while one is looked for.
    fn extent(&self) -> (usize, usize) {
        let extent = self.extent.load(Ordering::Acquire);
        let length = extent.wrapping_rem(UNIT).wrapping_mul(UNIT);
        let begin = extent.wrapping_sub(extent.wrapping_rem(UNIT));
        (begin, begin.wrapping_add(length))
    }

    fn set_extent(&self, begin: usize, length: usize) {
        let units = length.wrapping_div(UNIT);
        self.extent
            .store(begin.wrapping_add(units), Ordering::Release);
    }

    fn contains(&self, address: usize) -> bool {
        let (begin, end) = self.extent();
        (begin..end).contains(&address)
    }

    /// A block, if there is room for it and it is still `owner`'s.
    fn take(&self, layout: Layout, owner: usize) -> Option<usize> {
        // Claimed first: what is claimed is neither given up nor begun anew.
        self.claims
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |claims| {
                (claims >= HELD).then(|| claims.wrapping_add(1))
            })
            .ok()?;
        if self.owner.load(Ordering::Acquire) != owner {
            self.disclaim();
            return None;
        }
        self.short.store(true, Ordering::Release);
        EVER_SHORT.store(true, Ordering::Release);
        let (_, end) = self.extent();
        let mut block = 0;
        let taken = self
            .next
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |next| {
                block = next.checked_next_multiple_of(layout.align())?;
                block.checked_add(layout.size()).filter(|next| *next <= end)
            });
        if taken.is_err() {
            self.disclaim();
            return None;
        }
        BLOCKS.fetch_add(1, Ordering::AcqRel);
        Some(block)
    }

    /// Lets the block that was taken last grow in its place.
    fn extend(&self, block: usize, size: usize, new_size: usize) -> bool {
        let (_, end) = self.extent();
        match (block.checked_add(size), block.checked_add(new_size)) {
            (Some(next), Some(new_next)) if new_next <= end => self
                .next
                .compare_exchange(next, new_next, Ordering::AcqRel, Ordering::Acquire)
                .is_ok(),
            _ => false,
        }
    }

    fn give_back(&self, block: usize, size: usize) {
        // What was taken last can be taken again.
        let _ = self.next.compare_exchange(
            block.wrapping_add(size),
            block,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        BLOCKS.fetch_sub(1, Ordering::AcqRel);
        self.disclaim();
    }

    /// Ends one claim; with the last one the reserve is given up.
    fn disclaim(&self) {
        let (begin, _) = self.extent();
        let next = self.next.load(Ordering::Acquire);
        if self.claims.load(Ordering::Acquire) == ONE_BLOCK {
            // It is the one that goes: begun anew, unless another was taken since.
            let _ = self
                .next
                .compare_exchange(next, begin, Ordering::AcqRel, Ordering::Acquire);
        }
        if self.claims.fetch_sub(1, Ordering::AcqRel) == HELD {
            // Nobody else knows of it any more.
            let (begin, end) = self.extent();
            self.extent.store(0, Ordering::Release);
            unmap(begin, end);
            self.claims.store(FREE, Ordering::Release);
        }
    }
}

/// Memory of one activity, aside until it needs it. What it has left in it stays until that is given back.
pub struct Reserve(&'static Place);

impl Reserve {
    /// For one call, or for a pass of psc's thread; `None` when there is no memory.
    pub fn of_a_call() -> Option<Reserve> {
        Reserve::of(OF_A_CALL)
    }

    /// For the life of a handle: whoever's own is not enough, or who has none, is served from it.
    pub fn of_a_handle() -> Option<Reserve> {
        let reserve = Reserve::of(OF_A_HANDLE)?;
        reserve.0.owner.store(EVERYBODY, Ordering::Release);
        Some(reserve)
    }

    /// For putting a configuration in force, as long as it waits for that.
    pub fn of_a_configuration() -> Option<Reserve> {
        Reserve::of(OF_A_CONFIGURATION)
    }

    fn of(bytes: usize) -> Option<Reserve> {
        let (number, place) = RESERVES.iter().enumerate().find(|(_, place)| {
            place
                .claims
                .compare_exchange(FREE, CHANGING, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        })?;
        USED.fetch_max(number.wrapping_add(1), Ordering::AcqRel);
        let Some(begin) = map(bytes) else {
            place.claims.store(FREE, Ordering::Release);
            return None;
        };
        place.owner.store(NOBODY, Ordering::Release);
        place.next.store(begin, Ordering::Release);
        place.short.store(false, Ordering::Release);
        place.set_extent(begin, bytes);
        place.claims.store(HELD, Ordering::Release);
        Some(Reserve(place))
    }

    /// From now on it serves the calling thread.
    pub fn serve_this_thread(&self) {
        self.0.owner.store(thread::mark(), Ordering::Release);
    }

    /// As at the beginning, for a thread that has come to its next turn. False: too much of it is in use, and there is no
    /// memory for another.
    pub fn renew(&mut self) -> bool {
        if !self.0.short.load(Ordering::Acquire) {
            return true;
        }
        if let Some(another) = Reserve::of_a_call() {
            another.serve_this_thread();
            *self = another;
            return true;
        }
        self.0.short.store(false, Ordering::Release);
        let (begin, end) = self.0.extent();
        let used = self.0.next.load(Ordering::Acquire).wrapping_sub(begin);
        used < end.wrapping_sub(begin).wrapping_div(2)
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        let is_shared = self.0.owner.swap(NOBODY, Ordering::AcqRel) == EVERYBODY;
        // What lies beyond its blocks goes at once. Another thread may be about to take a block of one that is shared.
        if !is_shared && self.0.claims.load(Ordering::Acquire) > HELD {
            let (begin, end) = self.0.extent();
            let kept = self.0.next.load(Ordering::Acquire).wrapping_sub(begin);
            let kept = kept.next_multiple_of(PAGE).min(end.wrapping_sub(begin));
            self.0.set_extent(begin, kept);
            unmap(begin.wrapping_add(kept), end);
        }
        self.0.disclaim();
    }
}

/// Whether memory has run out in the calls that the calling thread is in, or has now.
pub fn was_short() -> bool {
    /// More than what is left over in a full heap.
    const A_LITTLE: usize = 256 * 1024;
    owned_by(thread::mark()).any(|place| place.short.load(Ordering::Acquire))
        // SAFETY: a size; what `malloc` returns is freed at once, and is not looked into.
        || unsafe {
            let block = libc::malloc(A_LITTLE);
            libc::free(block);
            block.is_null()
        }
}

/// Whether it was in any call of this process.
pub fn was_ever_short() -> bool {
    EVER_SHORT.load(Ordering::Acquire)
}

/// Memory has run out for a library that psc uses.
pub fn note_shortage() {
    EVER_SHORT.store(true, Ordering::Release);
    for place in owned_by(thread::mark()) {
        place.short.store(true, Ordering::Release);
    }
}

fn map(bytes: usize) -> Option<usize> {
    // SAFETY: a new mapping, of nothing but memory, at a place that the system chooses.
    let begin = unsafe {
        libc::mmap(
            ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    (begin != libc::MAP_FAILED).then(|| begin.expose_provenance())
}

fn unmap(begin: usize, end: usize) {
    if begin < end {
        // SAFETY: a part of psc's own mapping, which nobody has a block in.
        unsafe {
            libc::munmap(
                ptr::with_exposed_provenance_mut(begin),
                end.wrapping_sub(begin),
            )
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::Checker;
    use openssl::base64::encode_block;
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::sign::Signer;
    use psc_testkit::Site;
    use serde_json::json;

    static MEASURED: AtomicUsize = AtomicUsize::new(NOBODY);
    static BYTES: AtomicUsize = AtomicUsize::new(0);

    pub(super) fn count(bytes: usize) {
        if MEASURED.load(Ordering::Relaxed) == thread::mark() {
            BYTES.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// What `work` allocates, in sum: as if nothing were given back meanwhile.
    fn measured(work: impl FnOnce()) -> usize {
        BYTES.store(0, Ordering::SeqCst);
        MEASURED.store(thread::mark(), Ordering::SeqCst);
        work();
        MEASURED.store(NOBODY, Ordering::SeqCst);
        BYTES.load(Ordering::SeqCst)
    }

    /// An answer of the largest size that is signed and says as much as it can.
    fn largest_answer(site: &Site, nonce: &str) -> Vec<u8> {
        let key = std::fs::read(site.path("sign_key.pem")).unwrap();
        let key = PKey::private_key_from_pem(&key).unwrap();
        let more = vec!["x".repeat(16); 9_000];
        let data = json!({ "nonce": nonce, "update": 1, "version": "6.0.30", "more": more });
        let data = encode_block(data.to_string().as_bytes());
        let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
        let signature = signer.sign_oneshot_to_vec(data.as_bytes()).unwrap();
        json!({ "data": data, "signature": encode_block(&signature) })
            .to_string()
            .into_bytes()
    }

    #[test]
    fn a_reserve_is_large_enough_for_the_most_costly_call() {
        const NONCE: &str = "1795366594000000AAECAwQFBgcICQoLDA0ODw==";
        let site = Site::start();
        let config = site.config(json!({ "program_name": "x".repeat(200) }));
        let answer = largest_answer(&site, NONCE);
        assert!((200 * 1024..=256 * 1024).contains(&answer.len()));
        let checker = Checker::new(None, None);
        let configured = measured(|| {
            assert!(checker.configure(config.to_string().as_bytes()).is_ok());
        });
        let verified = measured(|| {
            let outcome = checker.verify(&answer, NONCE).map_err(|error| error.reason);
            let outcome = outcome.unwrap();
            assert_eq!(outcome.code.number(), 1, "{}", outcome.message);
        });
        let run = measured(|| {
            assert!(checker.run_once().is_ok());
        });
        println!("configured {configured}, verified {verified}, run {run}");
        for bytes in [configured, verified, run] {
            assert!((1..OF_A_CALL / 2).contains(&bytes), "{bytes}");
        }
    }

    #[test]
    fn blocks_of_a_reserve_grow_move_and_outlive_it() {
        let reserve = Reserve::of_a_call().unwrap();
        reserve.serve_this_thread();
        let layout = Layout::from_size_align(100, 64).unwrap();
        let [one, two] = [from_reserve(layout), from_reserve(layout)];
        assert!(place_of(one).is_some() && place_of(two).is_some() && one != two);
        assert_eq!(one.addr() % 64, 0);
        assert!(was_short() && was_ever_short());
        // SAFETY: blocks of the reserve, of the given layout, freed once.
        unsafe {
            one.write_bytes(7, 100);
            // The last one grows where it is; the other moves, to `malloc`'s.
            assert_eq!(ALLOCATOR.realloc(two, layout, 300), two);
            let moved = ALLOCATOR.realloc(one, layout, 200);
            assert!(place_of(moved).is_none() && *moved.add(99) == 7);
            ALLOCATOR.dealloc(moved, Layout::from_size_align(200, 64).unwrap());
            drop(reserve);
            assert!(place_of(two).is_some());
            two.write_bytes(7, 300);
            ALLOCATOR.dealloc(two, Layout::from_size_align(300, 64).unwrap());
        }
        assert!(place_of(two).is_none());
        assert!(from_reserve(layout).is_null());
    }
}

//! A map bounded in octets, each entry with an end. What is asked for again stays: new entries
//! wait in a short queue and reach the long one only when they are used there, or come back soon
//! after they were dropped from it; the long queue gives an entry another round for each use. A
//! scan of names that are seen once passes through the short queue and leaves the rest alone.
//!
//! The bound counts everything: the table at its capacity, and for each entry the heap behind key
//! and value as its owner measured it.

use std::mem::size_of;

/// Links of queues and chains end here.
const END: u32 = u32::MAX;
/// The part of the budget, one in so many octets, that the short queue may fill before it is the
/// one to give way.
const YOUNG_SHARE: usize = 5;
/// Uses that carry an entry from the short queue to the long one.
const USES_TO_STAY: u8 = 2;
/// Uses that are counted; each is worth one more round of the long queue.
const MOST_USES: u8 = 3;
/// One entry takes at most this part of the budget.
const LARGEST_SHARE: usize = 4;

/// A point in time on both clocks: the steady one that ages go by, and the wall clock that
/// signatures are valid by. When the two drift apart, what was judged before no longer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Milliseconds on the steady clock since the cache was made.
    pub(super) steady: u64,
    /// Seconds on the wall clock.
    pub(super) wall: i64,
}

/// Seconds by which the wall clock may be set back before entries are dropped for it. A signature
/// is never used after its end by either clock.
const WALL_TOLERANCE: i64 = 3_600;

#[derive(Debug, Clone, Copy)]
struct Life {
    from: Moment,
    seconds: u32,
}

impl Life {
    /// Whole seconds left, the begun one included; `None` at the end and after it.
    fn left(&self, now: Moment) -> Option<u32> {
        let whole = u64::from(self.seconds) * 1_000;
        let left = whole.checked_sub(now.steady.saturating_sub(self.from.steady))?;
        let wall_age = now.wall.saturating_sub(self.from.wall);
        let wall_left = i64::from(self.seconds).saturating_sub(wall_age);
        if wall_age < -WALL_TOLERANCE {
            return None;
        }
        let left = i64::try_from(left.div_ceil(1_000))
            .unwrap_or(0)
            .min(wall_left);
        u32::try_from(left).ok().filter(|left| *left > 0)
    }
}

#[derive(Debug)]
struct Entry<K, V> {
    key: K,
    value: V,
    life: Life,
    /// Heap octets behind key and value.
    octets: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Free,
    Young,
    Main,
}

#[derive(Debug)]
struct Slot<K, V> {
    entry: Option<Entry<K, V>>,
    hash: u32,
    /// The next slot of the same bucket, or of the free list.
    chain: u32,
    newer: u32,
    older: u32,
    uses: u8,
    place: Place,
}

#[derive(Debug, Clone, Copy)]
struct Queue {
    newest: u32,
    oldest: u32,
    entries: usize,
    octets: usize,
}

impl Queue {
    const EMPTY: Self = Self {
        newest: END,
        oldest: END,
        entries: 0,
        octets: 0,
    };
}

/// The map. Hashes come from the caller, who keys them against collisions made on purpose.
#[derive(Debug)]
pub(super) struct Store<K, V> {
    slots: Vec<Slot<K, V>>,
    buckets: Vec<u32>,
    /// Hashes of entries that left the short queue unused, each in the place its hash gives it.
    ghosts: Vec<u32>,
    free: u32,
    young: Queue,
    main: Queue,
    budget: usize,
}

/// The index below `length` that belongs to `hash`.
fn place_of(hash: u32, length: usize) -> usize {
    // The product of two 32-bit numbers; its upper half is below `length`.
    ((u64::from(hash) * length as u64) >> 32) as usize
}

impl<K: Eq, V> Store<K, V> {
    /// An empty map that will hold at most `budget` octets, itself included.
    pub(super) const fn new(budget: usize) -> Self {
        Self {
            slots: Vec::new(),
            buckets: Vec::new(),
            ghosts: Vec::new(),
            free: END,
            young: Queue::EMPTY,
            main: Queue::EMPTY,
            budget,
        }
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.budget);
    }

    /// The value of `key` and the whole seconds it may still be used.
    pub(super) fn find(&mut self, hash: u32, key: &K, now: Moment) -> Option<(&V, u32)> {
        let index = self.index_of(hash, key)?;
        let Some(left) = self.life(index).and_then(|life| life.left(now)) else {
            self.take(index);
            return None;
        };
        let slot = &mut self.slots[index as usize];
        slot.uses = (slot.uses + 1).min(MOST_USES);
        slot.entry.as_ref().map(|entry| (&entry.value, left))
    }

    /// Keeps `value` for `seconds` in place of whatever `key` had; `octets` is the heap behind both.
    /// Others give way, and each that does is handed to `gone`. What would take more than a
    /// quarter of the budget is not kept.
    pub(super) fn insert(
        &mut self,
        (hash, key): (u32, K),
        (value, octets): (V, usize),
        (seconds, now): (u32, Moment),
        gone: &mut impl FnMut(&K, &V),
    ) {
        let before = self.index_of(hash, &key).and_then(|index| {
            let (place, uses) = (
                self.slots[index as usize].place,
                self.slots[index as usize].uses,
            );
            self.take(index).map(|_| (place, uses))
        });
        if octets > self.budget / LARGEST_SHARE || seconds == 0 {
            return;
        }
        let (place, uses) = match before {
            // A refreshed entry keeps its standing.
            Some(standing) => standing,
            None if self.is_ghost(hash) => (Place::Main, 0),
            None => (Place::Young, 0),
        };
        let Some(index) = self.room(octets, now, gone) else {
            return;
        };
        let bucket = place_of(hash, self.buckets.len());
        let slot = &mut self.slots[index as usize];
        slot.entry = Some(Entry {
            key,
            value,
            life: Life { from: now, seconds },
            octets,
        });
        slot.hash = hash;
        slot.uses = uses;
        slot.chain = std::mem::replace(&mut self.buckets[bucket], index);
        self.link(index, place);
    }

    /// Drops what `key` has.
    pub(super) fn remove(&mut self, hash: u32, key: &K) -> Option<V> {
        let index = self.index_of(hash, key)?;
        self.take(index).map(|entry| entry.value)
    }

    /// Octets in use, the table at its capacity included.
    pub(super) fn octets(&self) -> usize {
        self.young.octets + self.main.octets + Self::table_octets(self.slots.capacity())
    }

    #[cfg(test)]
    /// Entries kept, ended ones that nobody asked for since included.
    pub(super) const fn len(&self) -> usize {
        self.young.entries + self.main.entries
    }

    const fn table_octets(capacity: usize) -> usize {
        capacity * (size_of::<Slot<K, V>>() + 2 * size_of::<u32>())
    }

    fn life(&self, index: u32) -> Option<&Life> {
        let entry = self.slots[index as usize].entry.as_ref();
        entry.map(|entry| &entry.life)
    }

    fn index_of(&self, hash: u32, key: &K) -> Option<u32> {
        if self.buckets.is_empty() {
            return None;
        }
        let mut index = self.buckets[place_of(hash, self.buckets.len())];
        while index != END {
            let slot = &self.slots[index as usize];
            if slot.hash == hash && slot.entry.as_ref().is_some_and(|entry| entry.key == *key) {
                return Some(index);
            }
            index = slot.chain;
        }
        None
    }

    fn is_ghost(&self, hash: u32) -> bool {
        !self.ghosts.is_empty() && self.ghosts[place_of(hash, self.ghosts.len())] == hash
    }

    /// A free slot, with `octets` to spare; `None` when the budget has no room for it at all.
    fn room(&mut self, octets: usize, now: Moment, gone: &mut impl FnMut(&K, &V)) -> Option<u32> {
        loop {
            if self.octets() + octets <= self.budget {
                if self.free != END {
                    break;
                }
                if self.grow(octets) {
                    continue;
                }
            }
            self.evict(now, gone)?;
        }
        let index = self.free;
        self.free = self.slots[index as usize].chain;
        Some(index)
    }

    /// Makes the table larger by half if the budget allows.
    fn grow(&mut self, octets: usize) -> bool {
        let capacity = self.slots.len();
        let wanted = capacity + (capacity / 2).max(16);
        let after = self.young.octets + self.main.octets + octets + Self::table_octets(wanted);
        // The index of a slot is 32 bits wide.
        if after > self.budget || wanted >= END as usize {
            return false;
        }
        self.slots.reserve_exact(wanted - capacity);
        for index in capacity..wanted {
            self.slots.push(Slot {
                entry: None,
                hash: 0,
                chain: self.free,
                newer: END,
                older: END,
                uses: 0,
                place: Place::Free,
            });
            self.free = index as u32;
        }
        self.buckets = vec![END; wanted];
        for index in 0..capacity {
            let slot = &mut self.slots[index];
            if slot.place != Place::Free {
                let bucket = place_of(slot.hash, wanted);
                slot.chain = std::mem::replace(&mut self.buckets[bucket], index as u32);
            }
        }
        let ghosts = std::mem::replace(&mut self.ghosts, vec![0; wanted]);
        for hash in ghosts {
            self.ghosts[place_of(hash, wanted)] = hash;
        }
        true
    }

    /// Drops one entry; `None` when there is none.
    fn evict(&mut self, now: Moment, gone: &mut impl FnMut(&K, &V)) -> Option<()> {
        // Each turn drops an entry, or takes from one of its few uses or from the short queue.
        loop {
            let young = self.young.octets + self.young.entries * size_of::<Slot<K, V>>();
            let young_is_full = young > self.budget / YOUNG_SHARE;
            let place = if (young_is_full || self.main.oldest == END) && self.young.oldest != END {
                Place::Young
            } else {
                Place::Main
            };
            let index = self.queue(place).oldest;
            if index == END {
                return None;
            }
            let has_ended = self.life(index).is_none_or(|life| life.left(now).is_none());
            let slot = &mut self.slots[index as usize];
            let stays = match place {
                Place::Young => slot.uses >= USES_TO_STAY,
                Place::Main | Place::Free => slot.uses > 0,
            };
            if stays && !has_ended {
                slot.uses = match place {
                    // What was used while it was new has to be used again later.
                    Place::Young => 0,
                    Place::Main | Place::Free => slot.uses - 1,
                };
                self.unlink(index);
                self.link(index, Place::Main);
                continue;
            }
            if place == Place::Young && !has_ended {
                let hash = slot.hash;
                let ghost = place_of(hash, self.ghosts.len());
                self.ghosts[ghost] = hash;
            }
            let entry = self.take(index)?;
            gone(&entry.key, &entry.value);
            return Some(());
        }
    }

    /// Empties a slot.
    fn take(&mut self, index: u32) -> Option<Entry<K, V>> {
        self.unlink(index);
        let bucket = place_of(self.slots[index as usize].hash, self.buckets.len());
        let after = self.slots[index as usize].chain;
        if self.buckets[bucket] == index {
            self.buckets[bucket] = after;
        } else {
            let mut at = self.buckets[bucket];
            while at != END {
                let slot = &mut self.slots[at as usize];
                if slot.chain == index {
                    slot.chain = after;
                    break;
                }
                at = slot.chain;
            }
        }
        let slot = &mut self.slots[index as usize];
        slot.chain = self.free;
        self.free = index;
        slot.place = Place::Free;
        slot.entry.take()
    }

    const fn queue(&mut self, place: Place) -> &mut Queue {
        match place {
            Place::Young => &mut self.young,
            Place::Main | Place::Free => &mut self.main,
        }
    }

    fn octets_at(&self, index: u32) -> usize {
        let entry = self.slots[index as usize].entry.as_ref();
        entry.map_or(0, |entry| entry.octets)
    }

    /// Puts a slot at the new end of a queue.
    fn link(&mut self, index: u32, place: Place) {
        let octets = self.octets_at(index);
        let queue = self.queue(place);
        queue.entries += 1;
        queue.octets += octets;
        let before = std::mem::replace(&mut queue.newest, index);
        if before == END {
            queue.oldest = index;
        } else {
            self.slots[before as usize].newer = index;
        }
        let slot = &mut self.slots[index as usize];
        slot.place = place;
        slot.older = before;
        slot.newer = END;
    }

    fn unlink(&mut self, index: u32) {
        let octets = self.octets_at(index);
        let slot = &self.slots[index as usize];
        let (place, newer, older) = (slot.place, slot.newer, slot.older);
        if newer != END {
            self.slots[newer as usize].older = older;
        }
        if older != END {
            self.slots[older as usize].newer = newer;
        }
        let queue = self.queue(place);
        queue.entries -= 1;
        queue.octets -= octets;
        if queue.newest == index {
            queue.newest = older;
        }
        if queue.oldest == index {
            queue.oldest = newer;
        }
    }
}

#[cfg(test)]
mod tests;

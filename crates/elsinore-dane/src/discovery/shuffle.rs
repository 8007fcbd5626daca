//! Equal preferences in random order (RFC 5321 §5.1), the randomness being an argument.

/// A small generator (SplitMix64): fair enough to spread load, never used for secrets.
#[derive(Debug, Clone)]
pub(super) struct Shuffle(u64);

impl Shuffle {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Fisher and Yates.
    pub(super) fn apply<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let bound = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
            let pick = usize::try_from(self.next() % bound).unwrap_or(0);
            items.swap(last, pick);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Shuffle;
    use std::collections::HashMap;

    #[test]
    fn every_order_comes_up_about_equally_often() {
        let mut seen: HashMap<[u8; 3], u32> = HashMap::new();
        for seed in 0..6_000 {
            let mut items = [1, 2, 3];
            Shuffle::new(seed).apply(&mut items);
            *seen.entry(items).or_default() += 1;
        }
        assert_eq!(seen.len(), 6);
        assert!(
            seen.values().all(|count| (800..1_200).contains(count)),
            "{seen:?}"
        );
    }
}

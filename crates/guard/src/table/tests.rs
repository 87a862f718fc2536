use std::cell::Cell;

use proptest::prelude::*;

use super::*;

/// A number that counts how often it is compared with another.
#[derive(Debug, Clone, Copy)]
struct Counted(u32);

thread_local! {
    static COMPARISONS: Cell<u64> = const { Cell::new(0) };
}

impl Ord for Counted {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        COMPARISONS.set(COMPARISONS.get() + 1);
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Counted {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Counted {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Counted {}

impl Sub for Counted {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Shr<u32> for Counted {
    type Output = Self;

    fn shr(self, by: u32) -> Self {
        Self(self.0 >> by)
    }
}

impl Bits for Counted {
    const LENGTH: u32 = 32;

    fn last(self, prefix: u8) -> Self {
        Self(self.0.last(prefix))
    }

    fn next(self) -> Option<Self> {
        self.0.next().map(Self)
    }

    fn small(self) -> usize {
        self.0.small()
    }

    fn leading_zeros(self) -> u32 {
        self.0.leading_zeros()
    }
}

fn network(address: u32, prefix: u8) -> (u32, u8) {
    (address & u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0), prefix)
}

fn network6(address: u128, prefix: u8) -> (u128, u8) {
    (address & u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0), prefix)
}

fn naive<A: Bits>(networks: &[(A, u8)], address: A) -> Option<u8> {
    let holds = |(start, prefix): &&(A, u8)| *start <= address && address <= start.last(*prefix);
    networks.iter().filter(holds).map(|(_, prefix)| *prefix).max()
}

/// Where answers may change, and between.
fn places<A: Bits>(networks: &[(A, u8)]) -> Vec<A> {
    let ends = networks
        .iter()
        .flat_map(|(start, prefix)| [Some(*start), start.last(*prefix).next(), Some(start.last(*prefix))]);
    ends.flatten().collect()
}

/// Some anywhere, many in a few crowded places.
fn address() -> impl Strategy<Value = u32> {
    prop_oneof![any::<u32>(), 0x0a00_0000..0x0a00_0400_u32, Just(0), Just(u32::MAX), 0xffff_ff00..=u32::MAX]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150 * ProptestConfig::default().cases / 256, ..ProptestConfig::default() })]

    #[test]
    fn it_finds_what_looking_at_each_network_finds(
        networks in prop::collection::vec((address(), 0_u8..=32), 0..120),
        probes in prop::collection::vec(address(), 50),
    ) {
        let networks: Vec<_> = networks.into_iter().map(|(address, prefix)| network(address, prefix)).collect();
        let table = Table::new(networks.clone());
        for address in probes.into_iter().chain(places(&networks)) {
            prop_assert_eq!(table.longest(address), naive(&networks, address), "{:x}", address);
        }
    }

    #[test]
    fn it_does_so_for_ipv6(
        networks in prop::collection::vec((any::<u128>(), 0_u32..128, 0_u8..=128), 0..80),
        probes in prop::collection::vec(any::<u128>(), 20),
    ) {
        // Shifted, so that prefixes share beginnings of all lengths.
        let networks: Vec<_> = networks
            .into_iter()
            .map(|(address, shift, prefix)| network6(0x2001_0db8 << 96 | address >> shift, prefix))
            .collect();
        let table = Table::new(networks.clone());
        for address in probes.into_iter().chain(places(&networks)) {
            prop_assert_eq!(table.longest(address), naive(&networks, address), "{:x}", address);
        }
    }
}

/// The comparisons of a lookup on average, of addresses that are in the list as often as not.
fn comparisons(networks: &[(u32, u8)]) -> f64 {
    let table = Table::new(networks.iter().map(|(address, prefix)| (Counted(*address), *prefix)).collect());
    let mut random = fastrand_like(7);
    let probes: Vec<_> = (0..10_000)
        .map(|i| match i % 2 {
            0 => networks[random() as usize % networks.len()].0 + 1,
            _ => random(),
        })
        .collect();
    COMPARISONS.set(0);
    for probe in &probes {
        table.longest(Counted(*probe));
    }
    COMPARISONS.get() as f64 / probes.len() as f64
}

/// Numbers without a pattern, the same in each run (SplitMix64).
fn fastrand_like(seed: u64) -> impl FnMut() -> u32 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed >> 32) as u32
    }
}

#[test]
fn fifty_thousand_networks_cost_a_lookup_what_ten_do() {
    let spread = |count: usize| {
        let mut random = fastrand_like(1);
        (0..count).map(|_| network(random(), 16 + (random() % 17) as u8)).collect::<Vec<_>>()
    };
    // As lists of real addresses are: in some hundred blocks, and dense there.
    let crowded = |count: usize| {
        let mut random = fastrand_like(2);
        let blocks: Vec<_> = (0..300).map(|_| random() & 0xffff_0000).collect();
        (0..count)
            .map(|_| network(blocks[random() as usize % 300] | (random() & 0xffff), 24 + (random() % 9) as u8))
            .collect::<Vec<_>>()
    };
    for (name, of) in [("spread", &spread as &dyn Fn(usize) -> Vec<(u32, u8)>), ("crowded", &crowded)] {
        let (few, many) = (comparisons(&of(10)), comparisons(&of(50_000)));
        println!("{name}: {few:.2} comparisons with 10, {many:.2} with 50,000");
        assert!(many <= few * 2.0 + 1.0, "{name}: {many} against {few}");
    }
}

#[test]
fn all_addresses_of_a_network_one_by_one_are_few_ranges() {
    let table = Table::new((0..65_536_u32).map(|low| (0x0a00_0000 + low, 32)).collect());
    assert_eq!(table.starts.len(), 2);
    assert_eq!(table.longest(0x0a00_ffff), Some(32));
    assert_eq!(table.longest(0x0a01_0000), None);
}

#[test]
fn a_network_at_the_end_of_another_is_inside_it() {
    let table = Table::new(vec![(8_u32, 29), (15, 32), (14, 31), (12, 30)]);
    let answers = [None, Some(29), Some(29), Some(29), Some(29), Some(30), Some(30), Some(31), Some(32), None];
    for (address, answer) in (7..).zip(answers) {
        assert_eq!(table.longest(address), answer, "{address}");
    }
}

#[test]
fn the_whole_space_has_no_end() {
    let table = Table::new(vec![(0_u32, 0), (u32::MAX, 32)]);
    assert_eq!(table.longest(0), Some(0));
    assert_eq!(table.longest(u32::MAX - 1), Some(0));
    assert_eq!(table.longest(u32::MAX), Some(32));
    assert_eq!(Table::<u32>::new(Vec::new()).longest(0), None);
}

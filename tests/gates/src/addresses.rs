//! Addresses among lists of networks.

use std::{hint::black_box, net::IpAddr};

use gatewright::{IpList, core::IpNetwork};

use crate::{Result, bench::Bench};

/// Blocks that the networks are in: lists of real addresses are dense in some places and empty in most.
const BLOCKS: usize = 300;
/// Addresses that are asked for, in turn.
const PROBES: usize = 1_024;

/// Looks addresses up among so many networks. Half of them are in the list, the others mostly not.
pub(crate) fn look_up(bench: &Bench, networks: usize) -> Result<u64> {
    let mut random = random();
    let blocks: Vec<_> = (0..BLOCKS).map(|_| random() & 0xffff_0000).collect();
    let networks = (0..networks).map(|_| {
        let block = blocks[random() as usize % BLOCKS];
        let text = format!("{}/{}", IpAddr::from((block | random() & 0xffff).to_be_bytes()), 24 + random() % 9);
        Ok(text.parse()?)
    });
    let networks = networks.collect::<Result<Vec<IpNetwork>>>()?;
    let probes: Vec<_> = (0..PROBES)
        .map(|number| match number % 2 {
            0 => networks[random() as usize % networks.len()].address(),
            _ => IpAddr::from(random().to_be_bytes()),
        })
        .collect();
    let list: IpList = networks.into_iter().collect();
    Ok(bench.plain(|turn| {
        black_box(list.contains(black_box(probes[turn % PROBES])));
    }))
}

/// Numbers without a pattern, the same in each run (SplitMix64).
fn random() -> impl FnMut() -> u32 {
    let mut state = 7_u64;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed >> 32) as u32
    }
}

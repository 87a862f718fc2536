//! The limits that callers carry themselves, as an API key may.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use gatewright_core::Quota;

use crate::limits::Limits;

/// Beyond so many sets of quotas, others are made ready anew for each request. There are as many as keys files have
/// different ones.
const MOST: usize = 1_024;

/// Limits of callers' own, each set made ready once.
pub(crate) struct OwnLimits {
    name: Box<str>,
    scope: Box<str>,
    ready: RwLock<HashMap<Box<[Quota]>, Arc<Limits>>>,
}

impl OwnLimits {
    pub(crate) fn new(name: Box<str>, scope: Box<str>) -> Self {
        Self { name, scope, ready: RwLock::default() }
    }

    pub(crate) fn of(&self, quotas: &[Quota]) -> Arc<Limits> {
        if let Some(limits) = self.ready.read().unwrap_or_else(PoisonError::into_inner).get(quotas) {
            return Arc::clone(limits);
        }
        let limits = Arc::new(Limits::new(&self.name, &self.scope, quotas));
        let mut ready = self.ready.write().unwrap_or_else(PoisonError::into_inner);
        if ready.len() < MOST {
            ready.insert(quotas.into(), Arc::clone(&limits));
        }
        limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_quotas_is_made_ready_once_and_there_is_an_end_to_what_is_kept() {
        let own = OwnLimits::new("api".into(), Box::default());
        let quotas = [Quota::per_second(5), Quota::per_day(9)];
        assert!(Arc::ptr_eq(&own.of(&quotas), &own.of(&quotas)));
        assert!(!Arc::ptr_eq(&own.of(&quotas), &own.of(&quotas[..1])));
        for units in 1..2_000 {
            assert_eq!(own.of(&[Quota::per_hour(units)]).iter().count(), 1);
        }
        assert_eq!(own.ready.read().expect("a lock").len(), MOST);
    }
}

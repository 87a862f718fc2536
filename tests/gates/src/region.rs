//! Where it is counted and where not.
//!
//! callgrind is told the names of two functions here and turns its counting over whenever one of them is entered or
//! left (`--toggle-collect`). They are therefore never inlined, and the inner one is only called within the outer.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::allocator;

/// Counts what `run` does on this thread, and returns its allocations.
pub(crate) fn counted(run: &mut dyn FnMut()) -> u64 {
    let before = allocator::allocations();
    gate_counted(run);
    allocator::allocations() - before
}

#[inline(never)]
fn gate_counted(run: &mut dyn FnMut()) {
    allocator::count(true);
    run();
    allocator::count(false);
}

#[inline(never)]
fn gate_uncounted(run: &mut dyn FnMut()) {
    run();
    allocator::count(true);
}

/// A future that is left out of the count: the other end of a socket.
pub(crate) struct Uncounted<F>(Pin<Box<F>>);

impl<F> Uncounted<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(Box::pin(future))
    }
}

impl<F: Future> Future for Uncounted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if !allocator::count(false) {
            return self.0.as_mut().poll(cx);
        }
        let mut polled = Poll::Pending;
        gate_uncounted(&mut || polled = self.0.as_mut().poll(cx));
        polled
    }
}

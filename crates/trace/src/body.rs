use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{account::Account, future::kind_of};

pin_project! {
    /// The inner service's response body, with its bytes counted and its end noticed.
    #[derive(Debug)]
    pub struct TraceBody<B>
    where
        B: Body,
    {
        // Without one it is empty, whatever `B` is.
        #[pin]
        inner: Option<B>,
        account: Option<Account>,
        expected: Option<u64>,
    }

    impl<B> PinnedDrop for TraceBody<B>
    where
        B: Body,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let Some(account) = this.account else { return };
            // A server stops asking once it has all bytes that it may send; that is no client gone.
            let has_all = *this.expected == Some(account.bytes_out());
            if has_all || account.has_no_body() || this.inner.as_ref().as_pin_ref().is_none_or(|inner| inner.is_end_stream()) {
                account.complete();
            }
        }
    }
}

impl<B: Body> TraceBody<B> {
    /// `declared` is the response's Content-Length.
    pub(crate) fn new(inner: B, declared: Option<u64>, account: Option<Account>) -> Self {
        let expected = inner.size_hint().exact().or(declared);
        Self { inner: Some(inner), account, expected }
    }
}

/// An empty body, of no request.
impl<B: Body> Default for TraceBody<B> {
    fn default() -> Self {
        Self { inner: None, account: None, expected: None }
    }
}

impl<B> Body for TraceBody<B>
where
    B: Body,
    B::Error: 'static,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else { return Poll::Ready(None) };
        let frame = ready!(inner.poll_frame(cx));
        let Some(account) = this.account else { return Poll::Ready(frame) };
        match &frame {
            Some(Ok(frame)) => account.add_bytes_out(frame.data_ref().map_or(0, Buf::remaining)),
            Some(Err(error)) => account.fail(kind_of(error)),
            None => account.complete(),
        }
        if !matches!(frame, Some(Ok(_))) {
            // The line is written here rather than when the server lets go of the body.
            *this.account = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

//! The bytes of an open connection, in the clear or under TLS.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll},
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf, ReadHalf},
    net::TcpStream,
};

/// An open connection.
pub(crate) enum Stream {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
    /// The half that receives, while another task sends.
    Receiving(ReadHalf<Stream>),
    #[cfg(test)]
    Memory(tokio::io::DuplexStream),
    /// Any other one.
    #[cfg(any(test, fuzzing))]
    Other(Box<dyn AnyStream>),
}

/// Any stream, for tests.
#[cfg(any(test, fuzzing))]
pub(crate) trait AnyStream: AsyncRead + AsyncWrite + Send + Unpin {}

#[cfg(any(test, fuzzing))]
impl<T: AsyncRead + AsyncWrite + Send + Unpin> AnyStream for T {}

impl Stream {
    /// Whether a read may give anything but "not yet". It asks the runtime, without a system call.
    pub(crate) fn may_be_readable(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.try_io(Interest::READABLE, || Ok(())).is_ok(),
            // Only the session knows whether decrypted bytes are left.
            #[cfg(feature = "tls")]
            Self::Tls(_) => true,
            Self::Receiving(_) => true,
            #[cfg(test)]
            Self::Memory(_) => true,
            #[cfg(any(test, fuzzing))]
            Self::Other(_) => true,
        }
    }

    /// Asks the system, by one system call, whether nothing has arrived, not even the connection's end. Under TLS, a record
    /// of any kind counts.
    pub(crate) fn is_silent(&self) -> bool {
        let socket = match self {
            Self::Plain(stream) => stream,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.get_ref().0,
            // These have no socket to look at.
            Self::Receiving(_) => return true,
            #[cfg(test)]
            Self::Memory(_) => return true,
            #[cfg(any(test, fuzzing))]
            Self::Other(_) => return true,
        };
        let looked = SockRef::from(socket).peek(&mut [MaybeUninit::uninit()]);
        looked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    fn sending(&mut self) -> io::Result<Pin<&mut (dyn AsyncWrite + Send + Unpin)>> {
        match self {
            Self::Plain(stream) => Ok(Pin::new(stream)),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Ok(Pin::new(&mut **stream)),
            Self::Receiving(_) => Err(io::ErrorKind::BrokenPipe.into()),
            #[cfg(test)]
            Self::Memory(stream) => Ok(Pin::new(stream)),
            #[cfg(any(test, fuzzing))]
            Self::Other(stream) => Ok(Pin::new(&mut **stream)),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, buf).map_err(crate::tls::with_message),
            Self::Receiving(stream) => Pin::new(stream).poll_read(cx, buf),
            #[cfg(test)]
            Self::Memory(stream) => Pin::new(stream).poll_read(cx, buf),
            #[cfg(any(test, fuzzing))]
            Self::Other(stream) => Pin::new(&mut **stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            other => other.sending()?.poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().sending()?.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            // What was written to a socket has left.
            Self::Plain(_) => Poll::Ready(Ok(())),
            other => other.sending()?.poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().sending()?.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufStream};

    use super::*;

    /// One that holds what is written until it is flushed, as a TLS session may.
    fn holding() -> (Stream, tokio::io::DuplexStream) {
        let (near, far) = tokio::io::duplex(1024);
        (Stream::Other(Box::new(BufStream::new(near))), far)
    }

    #[tokio::test]
    async fn what_is_written_leaves_when_it_is_flushed() {
        let (mut stream, mut far) = holding();
        stream.write_all(b"hello").await.expect("is open");
        stream.flush().await.expect("is open");
        let mut received = [0; 5];
        far.read_exact(&mut received).await.expect("is there");
        assert_eq!(&received, b"hello");
        stream.write_all(b"bye").await.expect("is open");
        stream.shutdown().await.expect("is open");
        let mut received = String::new();
        far.read_to_string(&mut received).await.expect("is there");
        assert_eq!(received, "bye");
    }

    #[tokio::test]
    async fn the_half_that_receives_does_not_send() {
        let (stream, mut far) = holding();
        let (receiving, _sending) = tokio::io::split(stream);
        let mut receiving = Stream::Receiving(receiving);
        let kind = |error: io::Error| error.kind();
        assert_eq!(receiving.write(b"x").await.map_err(kind), Err(io::ErrorKind::BrokenPipe));
        assert_eq!(receiving.flush().await.map_err(kind), Err(io::ErrorKind::BrokenPipe));
        assert_eq!(receiving.shutdown().await.map_err(kind), Err(io::ErrorKind::BrokenPipe));
        far.write_all(b"x").await.expect("is open");
        assert_eq!(receiving.read_u8().await.expect("is there"), b'x');
    }
}

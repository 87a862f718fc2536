//! HTTP/1 without sockets (RFC 9112): heads and bodies in and out.
//!
//! The readers take received bytes and give requests, responses and pieces of bodies. The writers take messages and give
//! bytes to write. The owner of the socket decides when to read, when to write and how long to wait. These invariants hold:
//!
//! 1. **Order.** Bytes leave a [`WriteBuffer`] in the order in which they were put in.
//! 2. **Segmentation does not matter.** However the bytes of a message are split over reads, the result is the same message
//!    or the same [`Violation`]. Only the data of a body before a violation may be given first.
//! 3. **A violation is final.** After a violation the reader must not be called again, since nobody knows where the next
//!    message begins.
//! 4. **One length.** A message that names its length twice, in two ways, or in a way that two readers could read
//!    differently is a violation ([RFC 9112, section 6](https://www.rfc-editor.org/rfc/rfc9112#section-6)).
//! 5. **Each byte is scanned once.** A reader takes bytes out of the buffer only when they are a whole head, a whole trailer
//!    section, or part of a body. All other bytes stay in the buffer, and the next call goes on after the last scanned byte.
//! 6. **The head cache changes nothing.** A head that resembles an earlier head of its connection gives the same result as in
//!    a new reader. [`RequestReader::remember_heads`] and [`ResponseReader::remember_heads`] turn the cache off.
//! 7. **Every section is bounded** by [`Rules`]: heads, trailer sections, chunk size lines, and the chunk extensions of a
//!    whole body.
//!
//! # Example
//!
//! Read a response, and pass it on in chunks.
//!
//! ```
//! use bytes::BytesMut;
//! use gatewright_http1::{BodyReader, BodyWriter, Framing, Piece, ResponseReader, Rules, WriteBuffer};
//! use http::HeaderMap;
//!
//! let mut received = BytesMut::from("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
//! let mut reader = ResponseReader::new(Rules::for_responses());
//! let head = reader.read(&mut received, HeaderMap::new).expect("sound").expect("whole");
//!
//! let mut body = BodyReader::new(head.body(false));
//! let mut writer = BodyWriter::new(Framing::Chunked);
//! let mut out = WriteBuffer::default();
//! while let Piece::Data(data) = body.next(&mut received, reader.rules()).expect("sound") {
//!     writer.data(&mut out, data).expect("chunks have no length to keep to");
//! }
//! writer.end(&mut out, None).expect("chunks have no length to keep to");
//! assert_eq!(out.to_vec(), b"5\r\nhello\r\n0\r\n\r\n");
//! ```
//!
//! Customised: shorter heads than by default.
//!
//! ```
//! use bytes::BytesMut;
//! use gatewright_http1::{RequestReader, Rules, Violation};
//!
//! let mut rules = Rules::default();
//! rules.max_head = 64;
//! let mut received = BytesMut::from(&b"GET / HTTP/1.1\r\nhost: a\r\ncookie: a-cookie-that-is-far-too-long-for-such-a-head"[..]);
//! let refusal = RequestReader::new(rules).read::<()>(&mut received).expect_err("too long");
//! assert_eq!(refusal.violation(), Violation::HEAD_TOO_LARGE);
//! ```

mod body_reader;
mod body_writer;
mod chunked;
mod field;
mod head_cache;
mod length;
mod names;
mod request;
mod response;
mod rules;
mod scan;
mod section;
mod token;
mod violation;
mod write_buffer;

#[cfg(test)]
mod tests;

pub use body_reader::{BodyLength, BodyReader, Piece};
pub use body_writer::{BodyWriter, Framing, WrongLength};
pub use field::keeps_name;
pub use length::content_length;
pub use request::{
    Refusal, RequestHead, RequestReader, Upgrade, host, is_valid_target, write_head as write_request_head,
};
pub use response::{
    Asked, ResponseHead, ResponseReader, write_head as write_response_head,
    write_interim as write_interim_response,
};
pub use rules::{Names, Rules};
pub use token::has_element;
pub use violation::Violation;
pub use write_buffer::WriteBuffer;

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;

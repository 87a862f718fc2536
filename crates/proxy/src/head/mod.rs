//! The heads of requests and responses on their way through.

mod request;
mod response;

pub(crate) use request::{Destination, prepare};
pub(crate) use response::clean_response;

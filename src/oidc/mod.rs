//! Sign-in with an OpenID provider: what is asked, how it is answered, and what of the answer may be believed.
//!
//! It ends with a verified token; what AWS makes of one belongs to `aws`.

pub mod callback;
pub mod page;

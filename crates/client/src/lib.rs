//! Trusted Applications, for the Untrusted Applications of a device.
//!
//! An application speaks to the broker of its device, on a Unix socket: it requests components, opens sessions with
//! Trusted Applications and invokes their commands. [`Client`] does that with blocking calls; [`api`] is what is on
//! the wire, for whoever wants to do it otherwise. What a user may do is the broker's decision, by the user id that
//! the kernel vouches for: see `docs/applications.md`.
//!
//! What it does not do: it believes nothing and verifies nothing. Whether the output of a Trusted Application is
//! genuine can be told by somebody who has a key to check it by; the broker in between could say anything.
//!
//! # Example
//!
//! Needs a broker on `app.sock`, and `acme/hello` from the walkthrough:
//!
//! ```no_run
//! use tamarack_client::{Client, Error, api::{ComponentRequest, OpenSession}};
//!
//! let client = Client::new("app.sock");
//! let wish = ComponentRequest { component: "acme/hello".into(), tam_uri: None, tee: None };
//! client.request(&wish)?;
//!
//! let hello = OpenSession { component: "acme/hello".into(), ..OpenSession::default() };
//! let session = client.open(&hello)?;
//! println!("{}", String::from_utf8_lossy(&session.invoke(1, b"Ada")?));
//!
//! // Any amount of input and output, and a time limit.
//! let canceller = session.canceller();
//! std::thread::spawn(move || {
//!     std::thread::sleep(std::time::Duration::from_secs(10));
//!     canceller.cancel()
//! });
//! match session.run(1, std::io::stdin(), std::io::stdout()) {
//!     Ok(bytes) => eprintln!("{bytes} bytes"),
//!     Err(Error::Command { result, .. }) => eprintln!("the application says {result:#010x}"),
//!     Err(Error::Cancelled(_)) => eprintln!("it took too long"),
//!     Err(error) => return Err(error.into()),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod api;
mod client;
mod error;
mod http;
mod session;

pub use client::Client;
pub use error::Error;
pub use session::{Canceller, Input, Output, Session};

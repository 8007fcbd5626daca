//! Properties: of replies under any split, of a session against any server, of a message on its
//! way out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod message;
mod reply;
mod session;

use elsinore_smtp::address::ReversePath;
use elsinore_smtp::command::GreetingName;
use elsinore_smtp::message::{
    BlindCopies, Completion, Encoding, MessageError, Outflow, Survey, Surveyor,
};
use std::sync::Arc;

/// The completion all tests use.
fn completion() -> Completion {
    Completion {
        now: 1_795_326_044,
        token: [0xab; 16],
        host: GreetingName::parse("client.example").unwrap(),
        sender: ReversePath::parse("anna@sender.example").unwrap(),
        blind_copies: BlindCopies::Remove,
    }
}

/// Surveys a message that comes in chunks of `chunk` octets.
fn survey(message: &[u8], chunk: usize) -> Result<Survey, MessageError> {
    let mut surveyor = Surveyor::new(completion());
    for part in message.chunks(chunk.max(1)) {
        surveyor.push(part)?;
    }
    surveyor.finish()
}

/// The message as it goes out.
fn outflow(message: &[u8], survey: &Arc<Survey>, encoding: Encoding, chunk: usize) -> Vec<u8> {
    let mut outflow = Outflow::new(Arc::clone(survey), encoding);
    let mut out = Vec::new();
    for part in message.chunks(chunk.max(1)) {
        outflow.push(part, &mut out).unwrap();
    }
    outflow.finish(&mut out).unwrap();
    out
}

/// What a correct client concludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    NoUpdate,
    Update,
    Network,
    /// A network failure too, after the whole of the client's time.
    Timeout,
    Tls,
    /// The connection breaks in the handshake: a TLS failure or a network failure.
    Handshake,
    Http,
    Response,
    /// Not an HTTP transfer that can be finished: which failure it is depends on who notices first.
    Transfer,
    Signature,
    /// No signature at all, or no valid one: both are right.
    ResponseOrSignature,
    Nonce,
    /// A field is not of the kind that was agreed, or not the one of the request: both are right.
    ResponseOrNonce,
}

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

impl Expected {
    /// The return codes of psc that are right.
    pub fn codes(self) -> &'static [i32] {
        const NETWORK: i32 = -8;
        const TLS: i32 = -9;
        const HTTP: i32 = -10;
        const RESPONSE: i32 = -11;
        const SIGNATURE: i32 = -12;
        const NONCE: i32 = -13;
        match self {
            Expected::NoUpdate => &[0],
            Expected::Update => &[1],
            Expected::Network | Expected::Timeout => &[NETWORK],
            Expected::Tls => &[TLS],
            Expected::Handshake => &[TLS, NETWORK],
            Expected::Http => &[HTTP],
            Expected::Response => &[RESPONSE],
            Expected::Transfer => &[NETWORK, HTTP, RESPONSE],
            Expected::Signature => &[SIGNATURE],
            Expected::ResponseOrSignature => &[RESPONSE, SIGNATURE],
            Expected::Nonce => &[NONCE],
            Expected::ResponseOrNonce => &[RESPONSE, NONCE],
        }
    }
}

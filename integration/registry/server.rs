//! A web server of a few lines, to be told every word that it answers: HTTP/1.1, one thread for each connection, with TLS if
//! it is given a certificate.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// With names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query, decoded as far as tests need it.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        let value = query.split('&').find_map(|it| it.strip_prefix(name)?.strip_prefix('='))?;
        Some(value.replace("%3A", ":").replace("%2F", "/").replace("%2B", "+").replace("%2C", ","))
    }
}

/// What is answered, and how badly.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// This many bytes of the body are left out, although they were announced.
    pub(crate) missing: usize,
    /// Before each part of the body, of which there are ten.
    pub(crate) pause: Duration,
}

impl Reply {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("Content-Type", media_type)
    }

    /// As registries complain.
    pub(crate) fn complaint(status: u16, code: &str, message: &str) -> Self {
        let json = serde_json::json!({"errors": [{"code": code, "message": message}]});
        Self::new(status).body("application/json", json.to_string())
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

/// A server on a port of its own, until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    handler: Box<Handler>,
    seen: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    is_over: AtomicBool,
    tls: Option<Arc<ServerConfig>>,
}

impl Server {
    pub(crate) fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen("127.0.0.1:0", None, handler).expect("a port of this machine")
    }

    pub(crate) fn with_tls(
        tls: Arc<ServerConfig>,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen("127.0.0.1:0", Some(tls), handler).expect("a port of this machine")
    }

    pub(crate) fn listen(
        address: &str,
        tls: Option<Arc<ServerConfig>>,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            handler: Box::new(handler),
            seen: Mutex::default(),
            connections: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
            tls,
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || accept(&listener, &shared));
        Ok(Self { address, state })
    }

    /// Everything that was asked so far.
    pub(crate) fn seen(&self) -> Vec<Request> {
        self.state.seen.lock().expect("no panic").clone()
    }

    /// Methods and targets of everything that was asked so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(|it| format!("{} {}", it.method, it.target)).collect()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts; if it is gone already, so much the better.
        drop(TcpStream::connect(self.address));
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for stream in listener.incoming() {
        if state.is_over.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        state.connections.fetch_add(1, Ordering::SeqCst);
        let state = Arc::clone(state);
        // A client that goes away ends its connection, which is no business of the others.
        thread::spawn(move || drop(talk(stream, &state)));
    }
}

fn talk(stream: TcpStream, state: &State) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    // Head and body are sent apart: without this the body waits 40 ms until the head is acknowledged.
    stream.set_nodelay(true)?;
    match &state.tls {
        None => {
            let input = stream.try_clone()?;
            converse(BufReader::new(input), stream, state)
        }
        Some(config) => {
            let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
            let mut stream = BufReader::new(StreamOwned::new(connection, stream));
            while let Some(request) = read(&mut stream)? {
                if !answer(stream.get_mut(), &request, state)? {
                    break;
                }
            }
            Ok(())
        }
    }
}

fn converse(mut input: impl BufRead, mut output: TcpStream, state: &State) -> io::Result<()> {
    // As web servers do when somebody starts with a TLS handshake.
    if input.fill_buf()?.first() == Some(&0x16) {
        return output.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    }
    while let Some(request) = read(&mut input)? {
        if !answer(&mut output, &request, state)? {
            break;
        }
    }
    Ok(())
}

/// One request; `None` at the end of the connection.
fn read(input: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut first = String::new();
    if input.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut words = first.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        input.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { method, target, headers, body: Vec::new() };
    let length = request.header("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
    request.body = vec![0; length];
    input.read_exact(&mut request.body)?;
    Ok(Some(request))
}

/// Answers; `false` if the connection ends with it.
fn answer(output: &mut impl Write, request: &Request, state: &State) -> io::Result<bool> {
    state.seen.lock().expect("no panic").push(request.clone());
    let reply = (state.handler)(request);
    let mut head = format!("HTTP/1.1 {} Whatever\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if request.method != "HEAD" || !reply.body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", reply.body.len()));
    }
    output.write_all(format!("{head}\r\n").as_bytes())?;
    let end = reply.body.len() - reply.missing;
    if request.method != "HEAD" {
        for part in reply.body[..end].chunks((end / 10).max(1)) {
            thread::sleep(reply.pause);
            output.write_all(part)?;
        }
    }
    output.flush()?;
    Ok(reply.missing == 0)
}

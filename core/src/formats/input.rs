//! Bytes of a file in chunks: a buffer that always holds one whole event, never the file.

use std::io::{BufRead, BufReader, Cursor, Read};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use super::{FormatError, Limits};

const CHUNK_BYTES: usize = 1 << 20;

pub struct Input<'a> {
    reader: Box<dyn Read + 'a>,
    buf: Vec<u8>,
    start: usize,
    end: usize,
    eof: bool,
    /// Number of the line at `start`, 1-based.
    pub line: u64,
    bytes_read: u64,
    limits: Limits,
}

impl<'a> Input<'a> {
    pub fn new(reader: Box<dyn Read + 'a>, limits: Limits) -> Self {
        Input {
            reader,
            buf: Vec::new(),
            start: 0,
            end: 0,
            eof: false,
            line: 1,
            bytes_read: 0,
            limits,
        }
    }

    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    pub fn at_eof(&self) -> bool {
        self.eof
    }

    /// What is buffered and not consumed.
    pub fn rest(&self) -> &[u8] {
        &self.buf[self.start..self.end]
    }

    pub fn consume(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.end - self.start);
        self.start += bytes;
    }

    /// Reads more behind what is buffered. False at the end of the file.
    pub fn refill(&mut self) -> Result<bool, FormatError> {
        if self.eof {
            return Ok(false);
        }
        let held = self.end - self.start;
        if held > self.limits.event_bytes {
            return Err(FormatError::new(
                self.line,
                format!("one event is longer than {} MiB", self.limits.event_bytes >> 20),
                self.rest(),
            )
            .with_hint(
                "is this a history? one event a line (or one EDN map an event) is expected",
            ));
        }
        if self.start > 0 {
            self.buf.copy_within(self.start..self.end, 0);
            self.start = 0;
            self.end = held;
        }
        // Doubling what is held keeps re-scanning of a long event linear in its length.
        let want = CHUNK_BYTES.max(held);
        if self.buf.len() < held + want {
            self.buf.resize(held + want, 0);
        }
        loop {
            match self.reader.read(&mut self.buf[held..held + want]) {
                Ok(0) => {
                    self.eof = true;
                    return Ok(false);
                }
                Ok(n) => {
                    self.end += n;
                    self.bytes_read += n as u64;
                    if self.bytes_read > self.limits.total_bytes {
                        return Err(FormatError::whole(
                            format!(
                                "the file holds more than {} GiB (after decompression)",
                                self.limits.total_bytes >> 30
                            ),
                            "split the history by key and check the parts",
                        ));
                    }
                    return Ok(true);
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => {
                    return Err(FormatError::whole(
                        format!("reading failed near line {}: {e}", self.line),
                        "the file is damaged, or not of the compression its first bytes claim",
                    ))
                }
            }
        }
    }

    /// The next line without its newline: (length, whether a newline ended it). The bytes are
    /// the first of `rest()`; the caller consumes length (+ 1) and counts the line.
    pub fn line(&mut self) -> Result<Option<(usize, bool)>, FormatError> {
        let mut seen = 0;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.rest()[seen..]) {
                return Ok(Some((seen + at, true)));
            }
            seen = self.end - self.start;
            if !self.refill()? {
                return Ok((seen > 0).then_some((seen, false)));
            }
        }
    }
}

/// The reader behind what its first bytes say of compression, and the name of that.
pub fn decompressed<'a>(
    mut reader: Box<dyn Read + 'a>,
) -> Result<(Box<dyn Read + 'a>, Option<&'static str>), FormatError> {
    let mut magic = Vec::new();
    reader.by_ref().take(4).read_to_end(&mut magic).map_err(|e| {
        FormatError::whole(format!("reading failed: {e}"), "is it a file that you may read?")
    })?;
    let kind = match magic.as_slice() {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd] => Some("zstd"),
        _ => None,
    };
    let whole = Cursor::new(magic).chain(reader);
    Ok((
        match kind {
            Some("gzip") => Box::new(MultiGzDecoder::new(whole)),
            Some(_) => Box::new(Zstd { source: Some(BufReader::new(whole)), frame: None }),
            None => Box::new(whole),
        },
        kind,
    ))
}

/// Zstandard frames, one after the other.
struct Zstd<R: Read> {
    source: Option<BufReader<R>>,
    frame: Option<Frame<R>>,
}

type Frame<R> = StreamingDecoder<BufReader<R>, ruzstd::decoding::FrameDecoder>;

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let n = frame.read(to)?;
                if n > 0 || to.is_empty() {
                    return Ok(n);
                }
                self.source = self.frame.take().map(StreamingDecoder::into_inner);
            }
            let Some(mut source) = self.source.take() else {
                return Ok(0);
            };
            if source.fill_buf()?.is_empty() {
                return Ok(0);
            }
            let frame = StreamingDecoder::new(source).map_err(std::io::Error::other)?;
            self.frame = Some(frame);
        }
    }
}

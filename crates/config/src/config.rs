use std::{
    fmt,
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use crate::{
    diagnostics::{Diagnostic, Diagnostics, Source},
    files::Files,
    read::Reader,
    settings::Settings,
    syntax,
};

/// A configuration file that was read and found right.
pub struct Config {
    source: Arc<Source>,
    settings: Arc<Settings>,
    warnings: Vec<Diagnostic>,
    files: Files,
    hash: String,
    /// The file without its secrets, when there is somebody to show it to.
    #[cfg(feature = "admin")]
    redacted: Option<String>,
}

impl Config {
    /// Reads and checks a file, and the files that it names.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, in the order of its lines; there is at least one error among them.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Diagnostics> {
        let path = path.as_ref();
        let mut files = Files::default();
        match read(path, &mut files) {
            Ok(text) => Self::read(Source::new(path, text), files),
            Err(error) => {
                let mut problem = Diagnostic::error(None, format!("cannot be read: {}", reason(&error)));
                match error.kind() {
                    io::ErrorKind::NotFound => {
                        problem.help("check the path; it is relative to where the command is run");
                    }
                    io::ErrorKind::InvalidData => {
                        problem.help("save it as UTF-8 in the editor, or by `iconv -f ENCODING -t UTF-8`");
                    }
                    _ => {}
                }
                Err(Diagnostics::new(Arc::new(Source::new(path, String::new())), vec![problem], files))
            }
        }
    }

    /// Reads and checks a text as if it were the contents of the file at `path`: errors name that file, and
    /// paths in the text are relative to it.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn parse(path: impl AsRef<Path>, text: impl Into<String>) -> Result<Self, Diagnostics> {
        Self::read(Source::new(path.as_ref(), text.into()), Files::default())
    }

    fn read(source: Source, files: Files) -> Result<Self, Diagnostics> {
        let source = Arc::new(source);
        let mut reader = Reader::after(&source, files);
        #[cfg(feature = "admin")]
        let mut redacted = None;
        let settings = syntax::parse(&source, reader.problems()).and_then(|mut root| {
            reader.check_variables(&mut root);
            let settings = Settings::read(&root, &mut reader);
            #[cfg(feature = "admin")]
            if settings.as_ref().is_some_and(|settings| settings.admin.is_some()) {
                redacted = Some(crate::redact::redacted(&root, reader.secrets()));
            }
            settings
        });
        if let Some(settings) = &settings {
            crate::assemble::check(settings, &mut reader);
        }
        let wrong = reader.has_errors();
        let (problems, files) = reader.finish();
        match settings {
            Some(settings) if !wrong => Ok(Self {
                hash: hash(source.text()),
                source,
                settings: Arc::new(settings),
                warnings: problems,
                files,
                #[cfg(feature = "admin")]
                redacted,
            }),
            _ => Err(Diagnostics::new(source, problems, files)),
        }
    }

    /// What may not be meant, though it can be used.
    pub fn warnings(&self) -> Diagnostics {
        self.diagnostics(self.warnings.clone())
    }

    /// The targets whose names do not resolve now, as warnings: their routes answer 502 until they do. It has
    /// to be called within a tokio runtime.
    pub async fn unresolved(&self) -> Diagnostics {
        let mut reader = Reader::new(&self.source);
        crate::unresolved::report(&self.settings, &mut reader).await;
        self.diagnostics(reader.finish().0)
    }

    /// Whether there is no `auth:` section, so that every route is served openly.
    pub fn is_open(&self) -> bool {
        self.settings.auth.is_none()
    }

    /// The files that it was read from: when one of them changes, it is time to [reload](crate::Gateway::reload).
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// How many runtimes are to serve; `None` when the file leaves it open: one a core then.
    pub fn workers(&self) -> Option<usize> {
        self.settings.workers.map(Into::into)
    }

    /// The SHA-256 of the file's text in hexadecimal, as `sha256sum` prints it. Files that it names are not part of it.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The file as JSON and without its secrets, if it has an admin.
    #[cfg(feature = "admin")]
    pub(crate) fn redacted(&self) -> Option<&str> {
        self.redacted.as_deref()
    }

    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    pub(crate) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Diagnostics of this file, which come on top of its own reading.
    pub(crate) fn diagnostics(&self, list: Vec<Diagnostic>) -> Diagnostics {
        Diagnostics::new(Arc::clone(&self.source), list, self.files.clone())
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("file", &self.source.path())
            .field("listeners", &self.settings.listeners.len())
            .field("routes", &self.settings.routes.len())
            .finish_non_exhaustive()
    }
}

/// The hash of a file as it is now, as [`Config::hash`].
pub(crate) fn hash_of_file(path: &Path) -> io::Result<String> {
    read(path, &mut Files::default()).map(|text| hash(&text))
}

fn hash(text: &str) -> String {
    use std::fmt::Write as _;

    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let mut hash = String::with_capacity(64);
    // A String takes anything.
    for byte in digest.as_ref() {
        let _ = write!(hash, "{byte:02x}");
    }
    hash
}

/// Reads a text file of a bounded size.
fn read(path: &Path, files: &mut Files) -> io::Result<String> {
    let mut bytes = Vec::new();
    files.open(path)?.take(syntax::SIZE as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > syntax::SIZE {
        return Err(io::Error::other(format!("it is larger than {} MiB", syntax::SIZE >> 20)));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is UTF-16, and not UTF-8"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        io::Error::new(io::ErrorKind::InvalidData, format!("it is not UTF-8 text (line {line})"))
    })
}

/// What went wrong with a file, as people say it.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

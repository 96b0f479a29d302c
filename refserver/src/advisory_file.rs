//! The advisory list in force; its file is read again whenever it has changed.

use crate::advisories::Advisories;
use crate::error::Error;
use crate::log;
use crate::sync::lock;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

pub(crate) struct AdvisoryFile(Mutex<Content>);

struct Content {
    /// `None`: the list was set by a test.
    path: Option<PathBuf>,
    text: String,
    list: Advisories,
}

impl AdvisoryFile {
    pub fn open(path: PathBuf) -> Result<AdvisoryFile, Error> {
        let text = fs::read_to_string(&path).map_err(|cause| Error::at(path.display(), cause))?;
        let list = Advisories::parse(&text).map_err(|cause| Error::at(path.display(), cause))?;
        Ok(AdvisoryFile(Mutex::new(Content {
            path: Some(path),
            text,
            list,
        })))
    }

    /// This list from now on; the file is not read any more.
    pub fn replace(&self, list: Advisories) {
        *lock(&self.0) = Content {
            path: None,
            text: String::new(),
            list,
        };
    }

    /// While the file is unreadable or wrong that is the list before.
    pub fn current(&self) -> Advisories {
        let mut content = lock(&self.0);
        if let Some(path) = &content.path {
            let refused = |cause: &dyn std::fmt::Display| {
                let place = path.display();
                log::error(&format!("{place}: {cause}; the list before stays in force"));
            };
            match fs::read_to_string(path) {
                Ok(text) if text != content.text => {
                    let parsed = Advisories::parse(&text).inspect_err(|cause| refused(cause));
                    content.text = text;
                    if let Ok(list) = parsed {
                        content.list = list;
                    }
                }
                Ok(_) => {}
                Err(cause) => refused(&cause),
            }
        }
        content.list.clone()
    }
}

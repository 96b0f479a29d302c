//! What the library itself says, through its C functions.

use serde_json::{Map, Value};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;

// The library, whose C functions are declared here as a host has them.
use psc as _;

type Log = extern "C" fn(*mut c_void, c_int, *const c_char);
type View = unsafe extern "C" fn(*mut c_void, *mut *mut c_char) -> c_int;

unsafe extern "C" {
    fn psc_init(log: Option<Log>, user_data: *mut c_void) -> *mut c_void;
    fn psc_configure(checker: *mut c_void, json: *const c_char) -> c_int;
    fn psc_inspect_config(checker: *mut c_void, json: *mut *mut c_char) -> c_int;
    fn psc_preview_request(checker: *mut c_void, json: *mut *mut c_char) -> c_int;
    fn psc_status(checker: *mut c_void, json: *mut *mut c_char) -> c_int;
    fn psc_string_free(string: *mut c_char);
    fn psc_free(checker: *mut c_void);
    fn psc_strerror(code: c_int) -> *const c_char;
}

/// The object that this function gives for a handle with this configuration.
fn view(of: View, config: &Value) -> Map<String, Value> {
    let config = CString::new(config.to_string()).expect("no NUL");
    let mut json = ptr::null_mut();
    // SAFETY: used as psc.h says: a handle that is freed last, a text that is copied, an out-parameter that is freed.
    let text = unsafe {
        let checker = psc_init(None, ptr::null_mut());
        assert_eq!(psc_configure(checker, config.as_ptr()), 0);
        assert_eq!(of(checker, &raw mut json), 0);
        let text = CStr::from_ptr(json).to_string_lossy().into_owned();
        psc_string_free(json);
        psc_free(checker);
        text
    };
    serde_json::from_str(&text).expect("a JSON object")
}

pub fn default_configuration() -> Map<String, Value> {
    view(psc_inspect_config, &serde_json::json!({}))
}

pub fn status() -> Map<String, Value> {
    view(psc_status, &serde_json::json!({}))
}

pub fn preview() -> Map<String, Value> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let config = serde_json::json!({
        "passenger_version": "1", "server_identifier": "nginx", "resources_dir": dir.path(),
    });
    view(psc_preview_request, &config)
}

pub fn sentence(code: i32) -> String {
    // SAFETY: a static string, for any code.
    let sentence = unsafe { CStr::from_ptr(psc_strerror(code)) };
    sentence.to_string_lossy().into_owned()
}

//! The command line of the reference check server. Read by hand: for three commands and six options a parser's set-up would
//! be as long.

use psc_refserver::{ClientCertificate, Error, FAULTS, Options, Server, keygen};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
usage: psc-refserver keygen DIR
       psc-refserver serve DIR [--listen ADDRESS:PORT] [--advisories FILE]
                               [--client-certificate off|optional|required]
                               [--license-alert COMMAND] [--no-request-binding]
                               [--fault NAME]
       psc-refserver faults
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["keygen", dir] => keygen(Path::new(dir)).map_err(|cause| cause.to_string()),
        ["serve", dir, flags @ ..] => options(dir, flags).and_then(serve),
        ["faults"] => faults().map_err(|cause| cause.to_string()),
        ["--help" | "-h" | "help"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("psc-refserver: {text}");
            ExitCode::FAILURE
        }
    }
}

fn options(dir: &str, flags: &[&str]) -> Result<Options, String> {
    let mut options = Options::new(dir);
    options.verbose = true;
    options.remember = 0;
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        if *flag == "--no-request-binding" {
            options.request_binding = false;
            continue;
        }
        let value = flags
            .next()
            .ok_or_else(|| format!("{flag}: a value is missing\n{USAGE}"))?;
        match *flag {
            "--listen" => {
                let parsed = value.parse();
                options.listen =
                    parsed.map_err(|_| format!("--listen: {value:?} is not ADDRESS:PORT"))?;
            }
            "--advisories" => options.advisories = Some(value.into()),
            "--client-certificate" => options.client_certificate = client_certificate(value)?,
            "--license-alert" => options.license_alert = Some((*value).to_owned()),
            "--fault" => options.fault = Some((*value).to_owned()),
            _ => return Err(format!("unknown option {flag}\n{USAGE}")),
        }
    }
    Ok(options)
}

fn client_certificate(value: &str) -> Result<ClientCertificate, String> {
    match value {
        "off" => Ok(ClientCertificate::Off),
        "optional" => Ok(ClientCertificate::Optional),
        "required" => Ok(ClientCertificate::Required),
        _ => Err(format!(
            "--client-certificate: off, optional or required, not {value:?}"
        )),
    }
}

fn serve(options: Options) -> Result<(), String> {
    let server = Server::start(options).map_err(|cause: Error| cause.to_string())?;
    let announced = writeln!(io::stdout(), "listening on {}", server.url());
    announced
        .and_then(|()| io::stdout().flush())
        .map_err(|cause| cause.to_string())?;
    // Until a signal ends the process.
    loop {
        std::thread::park();
    }
}

fn faults() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for fault in FAULTS {
        writeln!(out, "{:32} {}", fault.name, fault.explanation)?;
    }
    Ok(())
}

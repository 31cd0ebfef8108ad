import FoundationEssentials
import Inventory

/// The page's only style, named by its hash in the policy that forbids all else.
enum PageStyle {
    static let text = """
        :root{color-scheme:light dark;--ink:#1b1f24;--dim:#57606a;--paper:#fff;--card:#f6f8fa;--edge:#d0d7de;--ok:#116329;
        --bad:#a40e26;--line:#0550ae}
        @media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9da7b3;--paper:#0d1117;--card:#161b22;--edge:#30363d;
        --ok:#56d364;--bad:#ff7b72;--line:#79c0ff}}
        *{box-sizing:border-box}
        body{margin:0;font:16px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);overflow-wrap:break-word}
        header,main,footer{max-width:72rem;margin:0 auto;padding:.6rem 1rem}
        h1{font-size:1.4rem;margin:0}h2{font-size:1.15rem;margin:1.6rem 0 .5rem}main>h2:first-child{margin-top:0}h3{font-size:1rem;margin:0 0 .3rem}
        p{margin:.3rem 0}.dim{color:var(--dim);font-size:.875rem}code{font-size:.9em;overflow-wrap:anywhere}
        .ok,.bad{font-weight:600;color:var(--ok)}.bad{color:var(--bad)}
        .lanes{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(20rem,100%),1fr));gap:1rem}
        .lane,.reasons li{background:var(--card);border:1px solid var(--edge);border-radius:.5rem;padding:.8rem}
        .reasons{list-style:none;padding:0;display:grid;grid-template-columns:minmax(0,1fr);gap:.5rem;margin:.5rem 0}
        svg{display:block;width:100%;height:5rem;border:solid var(--edge);border-width:0 0 1px;margin:.3rem 0}
        path{fill:color-mix(in srgb,var(--line) 18%,transparent);stroke:var(--line);stroke-width:1;vector-effect:non-scaling-stroke}
        .axis{display:flex;justify-content:space-between}
        .table{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}
        th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--edge);vertical-align:top}th{white-space:nowrap}
        td{max-width:26rem}td.w{min-width:14rem}
        .n{text-align:right;font-variant-numeric:tabular-nums}
        a{color:var(--line)}a:focus-visible,summary:focus-visible,.table:focus-visible{outline:3px solid var(--line)}
        .skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:1rem;background:var(--paper);padding:.5rem}
        """

    /// Nothing is loaded, run, sent or framed; this style alone applies.
    static let policy =
        "default-src 'none'; style-src 'sha256-\(hash)'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    private static let hash = Data(Digest(sha256: [UInt8](text.utf8)).bytes).base64EncodedString()
}

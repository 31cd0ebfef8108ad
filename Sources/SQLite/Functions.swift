import CSQLite

/// The arguments and the result of one call of an SQL function, valid during the call.
package struct FunctionContext {
    let context: OpaquePointer
    let arguments: UnsafeMutablePointer<OpaquePointer?>?
    package let count: Int

    package func isNull(_ index: Int) -> Bool { sqlite3_value_type(arguments?[index]) == SQLITE_NULL }
    package func integer(_ index: Int) -> Int64 { sqlite3_value_int64(arguments?[index]) }

    /// Nil for NULL.
    package func text(_ index: Int) -> String? {
        isNull(index) ? nil : withText(index) { String(decoding: $0, as: UTF8.self) }
    }

    package func withText<R, E>(_ index: Int, _ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        let pointer = sqlite3_value_text(arguments?[index])
        return try body(UnsafeRawBufferPointer(start: pointer, count: Int(sqlite3_value_bytes(arguments?[index]))))
    }

    package func result(text: String) {
        var text = text
        text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                sqlite3_result_text(context, $0.baseAddress, Int32($0.count), waybill_sqlite_transient())
            }
        }
    }

    /// A copy of these bytes of UTF-8.
    package func result(text: UnsafeRawBufferPointer) {
        let pointer = text.baseAddress?.assumingMemoryBound(to: CChar.self)
        sqlite3_result_text(context, pointer, Int32(text.count), waybill_sqlite_transient())
    }

    package func result(integer: Int64) { sqlite3_result_int64(context, integer) }
    package func resultNull() { sqlite3_result_null(context) }
    package func result(error: String) { sqlite3_result_error(context, error, -1) }
}

private final class FunctionBody {
    let call: (FunctionContext) -> Void
    init(_ call: @escaping (FunctionContext) -> Void) { self.call = call }
}

private final class AuthorizerBody {
    let allow: (Int32, String?, String?) -> Bool
    init(_ allow: @escaping (Int32, String?, String?) -> Bool) { self.allow = allow }
}

extension Connection {
    /// Adds an SQL function; `argumentCount` -1 takes any number.
    package func register(
        _ name: String, argumentCount: Int32, deterministic: Bool, _ body: @escaping (FunctionContext) -> Void
    ) throws(SQLiteError) {
        let held = FunctionBody(body)
        keep(held)
        let flags = SQLITE_UTF8 | SQLITE_INNOCUOUS | (deterministic ? SQLITE_DETERMINISTIC : 0)
        let code = sqlite3_create_function_v2(
            handle, name, argumentCount, flags, Unmanaged.passUnretained(held).toOpaque(),
            { context, count, arguments in
                guard let context, let data = sqlite3_user_data(context) else { return }
                let body = Unmanaged<FunctionBody>.fromOpaque(data).takeUnretainedValue()
                body.call(FunctionContext(context: context, arguments: arguments, count: Int(count)))
            }, nil, nil, nil)
        guard code == SQLITE_OK else { throw error(code, operation: "register function \(name)") }
    }

    /// Asks before each action of a statement that is being prepared: SQLite's action code and its two names.
    package func setAuthorizer(_ allow: @escaping (_ action: Int32, _ first: String?, _ second: String?) -> Bool) {
        let held = AuthorizerBody(allow)
        authorizer = held
        sqlite3_set_authorizer(
            handle,
            { data, action, first, second, _, _ in
                guard let data else { return SQLITE_DENY }
                let body = Unmanaged<AuthorizerBody>.fromOpaque(data).takeUnretainedValue()
                let names = (first.map { String(cString: $0) }, second.map { String(cString: $0) })
                return body.allow(action, names.0, names.1) ? SQLITE_OK : SQLITE_DENY
            }, Unmanaged.passUnretained(held).toOpaque())
    }
}

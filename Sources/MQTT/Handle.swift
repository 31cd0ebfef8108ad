import CMosquitto
import Glibc

// One libmosquitto handle, for one TCP connection: a generation. Callbacks only record, and they run inside
// `loop_read` on the session's thread; the handle is destroyed when the connection is lost, so nothing of it lingers.

final class Handle {
    /// What callbacks noted since the last look.
    struct Notes {
        var connack: (code: Int32, receiveMaximum: Int?, maxPacket: Int?)?
        var disconnect: Int32?
        var subacks: [[Int32]] = []
        var pubacks: [(mid: Int32, reason: UInt8)] = []
        var messages: [InboundMessage] = []
    }

    private let mosquitto: OpaquePointer
    private let version: MQTTOptions.Version
    fileprivate(set) var notes = Notes()
    /// Published since the last write.
    private var queued = 0

    /// Nil when libmosquitto cannot make a handle.
    init?(clientID: String, options: MQTTOptions) {
        guard let made = mosquitto_new(clientID, options.isCleanStart, nil) else { return nil }
        mosquitto = made
        version = options.version
        mosquitto_user_data_set(made, Unmanaged.passUnretained(self).toOpaque())
        mosquitto_threaded_set(made, true)
        let protocolVersion = options.version == .v5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311
        mosquitto_int_option(made, MOSQ_OPT_PROTOCOL_VERSION, Int32(protocolVersion))
        mosquitto_int_option(made, MOSQ_OPT_TCP_NODELAY, 1)
        mosquitto_int_option(made, MOSQ_OPT_SEND_MAXIMUM, 500)
        setCallbacks()
    }

    deinit { mosquitto_destroy(mosquitto) }

    private func setCallbacks() {
        mosquitto_connect_v5_callback_set(mosquitto) { _, data, code, _, properties in
            Handle.of(data)?.connected(code, properties)
        }
        mosquitto_disconnect_v5_callback_set(mosquitto) { _, data, code, _ in
            Handle.of(data)?.notes.disconnect = code
        }
        mosquitto_publish_v5_callback_set(mosquitto) { _, data, mid, reason, _ in
            Handle.of(data)?.notes.pubacks.append((mid, UInt8(truncatingIfNeeded: reason)))
        }
        mosquitto_subscribe_v5_callback_set(mosquitto) { _, data, _, count, granted, _ in
            let codes = UnsafeBufferPointer(start: granted, count: Int(count)).map { $0 }
            Handle.of(data)?.notes.subacks.append(codes)
        }
        mosquitto_message_v5_callback_set(mosquitto) { _, data, message, properties in
            guard let message = message?.pointee, let topic = message.topic else { return }
            let payload = UnsafeRawBufferPointer(start: message.payload, count: Int(message.payloadlen))
            Handle.of(data)?.notes.messages.append(
                InboundMessage(
                    topic: String(cString: topic), payload: [UInt8](payload), isRetained: message.retain,
                    responseTopic: Handle.responseTopic(properties), correlation: Handle.correlation(properties)))
        }
    }

    private static func of(_ data: UnsafeMutableRawPointer?) -> Handle? {
        data.map { Unmanaged<Handle>.fromOpaque($0).takeUnretainedValue() }
    }

    private func connected(_ code: Int32, _ properties: OpaquePointer?) {
        var maximum: UInt16 = 0
        var packet: UInt32 = 0
        let hasMaximum = mosquitto_property_read_int16(
            properties, Int32(MQTT_PROP_RECEIVE_MAXIMUM.rawValue), &maximum, false)
        let hasPacket = mosquitto_property_read_int32(
            properties, Int32(MQTT_PROP_MAXIMUM_PACKET_SIZE.rawValue), &packet, false)
        notes.connack = (code, hasMaximum == nil ? nil : Int(maximum), hasPacket == nil ? nil : Int(packet))
    }

    private static func responseTopic(_ properties: OpaquePointer?) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard
            mosquitto_property_read_string(properties, Int32(MQTT_PROP_RESPONSE_TOPIC.rawValue), &text, false) != nil,
            let text
        else { return nil }
        defer { free(text) }
        return String(cString: text)
    }

    private static func correlation(_ properties: OpaquePointer?) -> [UInt8] {
        var bytes: UnsafeMutableRawPointer?
        var count: UInt16 = 0
        let found = mosquitto_property_read_binary(
            properties, Int32(MQTT_PROP_CORRELATION_DATA.rawValue), &bytes, &count, false)
        guard found != nil, let bytes else { return [] }
        defer { free(bytes) }
        return [UInt8](UnsafeRawBufferPointer(start: bytes, count: Int(count)))
    }

    /// Forgets what was looked at; the storage stays.
    func clearNotes() {
        notes.connack = nil
        notes.disconnect = nil
        notes.subacks.removeAll(keepingCapacity: true)
        notes.pubacks.removeAll(keepingCapacity: true)
        notes.messages.removeAll(keepingCapacity: true)
    }

    // MARK: calls

    func authenticate(_ options: MQTTOptions, tls: Bool) -> Int32 {
        if let username = options.username {
            let code = mosquitto_username_pw_set(mosquitto, username, options.password)
            guard code == 0 else { return Int32(code) }
        }
        guard tls else { return 0 }
        return mosquitto_tls_set(mosquitto, options.caFile, nil, options.certificateFile, options.keyFile, nil)
    }

    func setWill(_ will: Message) -> Int32 {
        guard version == .v5 else {
            return mosquitto_will_set(mosquitto, will.topic, Int32(will.payload.count), will.payload, 1, will.retain)
        }
        var properties: OpaquePointer?
        if let delay = will.willDelaySeconds {
            mosquitto_property_add_int32(&properties, Int32(MQTT_PROP_WILL_DELAY_INTERVAL.rawValue), delay)
        }
        // On success the handle owns the properties.
        return mosquitto_will_set_v5(
            mosquitto, will.topic, Int32(will.payload.count), will.payload, 1, will.retain, properties)
    }

    /// Begins to connect without blocking in `connect()`. There is no asynchronous call that takes properties, so a
    /// call that fails at once stores them first.
    func connect(to broker: BrokerAddress, options: MQTTOptions) -> Int32 {
        if version == .v5 {
            var properties: OpaquePointer?
            mosquitto_property_add_int16(
                &properties, Int32(MQTT_PROP_RECEIVE_MAXIMUM.rawValue), options.isCleanStart ? 8 : 500)
            if options.isCleanStart {
                mosquitto_property_add_int32(&properties, Int32(MQTT_PROP_MAXIMUM_PACKET_SIZE.rawValue), 64 * 1024)
            }
            mosquitto_property_add_int32(
                &properties, Int32(MQTT_PROP_SESSION_EXPIRY_INTERVAL.rawValue),
                options.isCleanStart ? 60 : options.sessionExpirySeconds)
            _ = mosquitto_connect_bind_v5(mosquitto, "/nonexistent/waybill", 0, options.keepAlive, nil, properties)
            mosquitto_property_free_all(&properties)
        }
        return mosquitto_connect_bind_async(mosquitto, broker.host, broker.port, options.keepAlive, nil)
    }

    var socket: Int32 { mosquitto_socket(mosquitto) }
    var wantsWrite: Bool { mosquitto_want_write(mosquitto) }
    func read() -> Int32 { mosquitto_loop_read(mosquitto, 1) }

    /// Writes what is queued. libmosquitto makes a system call of each packet; corked, they leave as full segments and
    /// not as one segment each.
    func write() -> Int32 {
        let isBurst = queued > 1
        queued = 0
        guard isBurst else { return mosquitto_loop_write(mosquitto, 1) }
        cork(1)
        defer { cork(0) }
        return mosquitto_loop_write(mosquitto, 1)
    }

    private func cork(_ isOn: Int32) {
        var isOn = isOn
        _ = setsockopt(socket, Int32(IPPROTO_TCP), TCP_CORK, &isOn, socklen_t(MemoryLayout<Int32>.size))
    }

    func misc() -> Int32 { mosquitto_loop_misc(mosquitto) }

    /// All in one SUBSCRIBE, so that one SUBACK answers it.
    func subscribe(_ topics: [String]) -> Int32 {
        var names: [UnsafeMutablePointer<CChar>?] = topics.map { strdup($0) }
        defer { names.forEach { free($0) } }
        return mosquitto_subscribe_multiple(mosquitto, nil, Int32(names.count), &names, 1, 0, nil)
    }

    /// QoS 1; the packet id, or the error's code.
    func publish(_ message: Message) -> Result<Int32, MosquittoCode> {
        var mid: Int32 = 0
        var properties: OpaquePointer?
        defer { mosquitto_property_free_all(&properties) }
        if version == .v5 { addRequest(message, to: &properties) }
        if version == .v5, let type = message.contentType {
            mosquitto_property_add_byte(&properties, Int32(MQTT_PROP_PAYLOAD_FORMAT_INDICATOR.rawValue), 1)
            mosquitto_property_add_string(&properties, Int32(MQTT_PROP_CONTENT_TYPE.rawValue), type)
            for (name, value) in message.userProperties {
                mosquitto_property_add_string_pair(&properties, Int32(MQTT_PROP_USER_PROPERTY.rawValue), name, value)
            }
        }
        let code = mosquitto_publish_v5(
            mosquitto, &mid, message.topic, Int32(message.payload.count), message.payload, 1, message.retain, properties
        )
        queued += 1
        return code == 0 ? .success(mid) : .failure(MosquittoCode(code: code))
    }

    private func addRequest(_ message: Message, to properties: inout OpaquePointer?) {
        if let topic = message.responseTopic {
            mosquitto_property_add_string(&properties, Int32(MQTT_PROP_RESPONSE_TOPIC.rawValue), topic)
        }
        if !message.correlation.isEmpty {
            mosquitto_property_add_binary(
                &properties, Int32(MQTT_PROP_CORRELATION_DATA.rawValue), message.correlation,
                UInt16(clamping: message.correlation.count))
        }
        if let expiry = message.expirySeconds {
            mosquitto_property_add_int32(&properties, Int32(MQTT_PROP_MESSAGE_EXPIRY_INTERVAL.rawValue), expiry)
        }
    }

    /// The same for a form's message; libmosquitto copies all it is given.
    func publish(_ form: MessageForm, payload: UnsafeRawBufferPointer) -> Result<Int32, MosquittoCode> {
        var mid: Int32 = 0
        var properties: OpaquePointer?
        defer { mosquitto_property_free_all(&properties) }
        if version == .v5 {
            mosquitto_property_add_byte(&properties, Int32(MQTT_PROP_PAYLOAD_FORMAT_INDICATOR.rawValue), 1)
            mosquitto_property_add_string(&properties, Int32(MQTT_PROP_CONTENT_TYPE.rawValue), form.contentType)
            for property in form.properties where !property.isEmpty {
                mosquitto_property_add_string_pair(
                    &properties, Int32(MQTT_PROP_USER_PROPERTY.rawValue), property.name, property.value)
            }
        }
        let code = mosquitto_publish_v5(
            mosquitto, &mid, form.topic, Int32(payload.count), payload.baseAddress, 1, false, properties)
        queued += 1
        return code == 0 ? .success(mid) : .failure(MosquittoCode(code: code))
    }

    func disconnect() { _ = mosquitto_disconnect_v5(mosquitto, 0, nil) }
}

struct MosquittoCode: Error {
    let code: Int32
    var isTLS: Bool { [MOSQ_ERR_TLS.rawValue, MOSQ_ERR_TLS_HANDSHAKE.rawValue].contains(code) }
    var words: String { String(cString: mosquitto_strerror(code)) }
}

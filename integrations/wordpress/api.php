<?php

/**
 * Ask the installation, without ever holding wp-admin up: 3 seconds at most, then a minute of rest.
 */

defined('ABSPATH') || exit;

const NEWSLETTER_DOOR_TOKEN = 'newsletter_door_token';
const NEWSLETTER_DOOR_ENTRIES = 'newsletter_door_entries';
const NEWSLETTER_DOOR_DOWN = 'newsletter_door_down';
const NEWSLETTER_DOOR_SECONDS = 3;
const NEWSLETTER_DOOR_AT_ONCE = 200;

/** Return the token, '' where none is stored. */
function newsletter_door_token(): string
{
    $stored = get_option(NEWSLETTER_DOOR_TOKEN, '');
    return newsletter_door_clean_token(is_array($stored) ? $stored['token'] ?? '' : $stored);
}

/** Tell whether the API can be asked. */
function newsletter_door_has_token(): bool
{
    $settings = newsletter_door_settings();
    return $settings['url'] !== '' && $settings['list'] !== '' && newsletter_door_token() !== '';
}

/**
 * Send a request, for three seconds at most, to where it was meant for alone.
 *
 * A packed answer stays packed: WordPress counts only the bytes before it unpacks them.
 */
function newsletter_door_ask(string $url, array $more)
{
    $more['headers'] = ($more['headers'] ?? []) + ['Accept-Encoding' => 'identity'];
    add_action('requests-requests.before_parse', 'newsletter_door_leave_packed');
    $answer = wp_remote_request($url, $more + ['timeout' => NEWSLETTER_DOOR_SECONDS, 'redirection' => 0]);
    remove_action('requests-requests.before_parse', 'newsletter_door_leave_packed');
    return $answer;
}

/** Take the header that makes WordPress unpack an answer out of it. */
function newsletter_door_leave_packed(&$answer): void
{
    $parts = explode("\r\n\r\n", (string) $answer, 2);
    $parts[0] = preg_replace('/^content-encoding\s*:/im', 'packed:', $parts[0]);
    $answer = implode("\r\n\r\n", $parts);
}

/**
 * Send a request with the token; return `code` (0 where nothing answered) and `body` (an array).
 *
 * While the installation does not answer, nothing is asked for a minute.
 */
function newsletter_door_request(string $method, string $path, string $key = '', ?array $sent = null): array
{
    $settings = newsletter_door_settings();
    if (!newsletter_door_has_token() || get_transient(NEWSLETTER_DOOR_DOWN)) {
        return ['code' => 0, 'body' => []];
    }
    $headers = ['Authorization' => 'Bearer ' . newsletter_door_token(), 'Accept' => 'application/json'];
    if ($key !== '') {
        $headers['Idempotency-Key'] = $key;
    }
    if ($sent !== null) {
        $headers['Content-Type'] = 'application/json';
    }
    $answer = newsletter_door_ask($settings['url'] . '/api/v1' . $path, [
        'method' => $method,
        'body' => $sent === null ? null : wp_json_encode($sent),
        'limit_response_size' => 512 * 1024,
        'headers' => $headers,
    ]);
    if (is_wp_error($answer)) {
        set_transient(NEWSLETTER_DOOR_DOWN, 1, MINUTE_IN_SECONDS);
        return ['code' => 0, 'body' => []];
    }
    $body = json_decode(wp_remote_retrieve_body($answer), true, 32);
    return ['code' => (int) wp_remote_retrieve_response_code($answer), 'body' => is_array($body) ? $body : []];
}

/** Return the newest entries by the key of their link, kept for a minute. */
function newsletter_door_entries(): array
{
    $known = get_transient(NEWSLETTER_DOOR_ENTRIES);
    if (is_array($known)) {
        return $known;
    }
    $list = newsletter_door_settings()['list'];
    $answer = newsletter_door_request('GET', '/entries?limit=100&list=' . rawurlencode($list));
    $entries = $answer['code'] === 200 ? newsletter_door_read_entries($answer['body']) : [];
    set_transient(NEWSLETTER_DOOR_ENTRIES, $entries, MINUTE_IN_SECONDS);
    return $entries;
}

/** Return the entry of a post, or null where the installation has not read it, or does not answer. */
function newsletter_door_find(int $post): ?array
{
    $key = newsletter_door_link_key(get_permalink($post));
    $known = newsletter_door_entries();
    if ($key === '' || isset($known[$key])) {
        return $known[$key] ?? null;
    }
    return newsletter_door_look_up($post)[$key] ?? null;
}

/**
 * Look for a post that is not among the newest entries, and for the others of the page it stands on.
 *
 * Each post is asked for once while a page is made; all of a list of posts in one request.
 */
function newsletter_door_look_up(int $post): array
{
    global $newsletter_door_found, $newsletter_door_asked;
    $newsletter_door_found = $newsletter_door_found ?? [];
    $newsletter_door_asked = $newsletter_door_asked ?? [];
    if (isset($newsletter_door_asked[$post])) {
        return $newsletter_door_found;
    }
    $links = [];
    foreach (newsletter_door_beside($post) as $id) {
        if (count($links) === NEWSLETTER_DOOR_AT_ONCE) {
            break;
        }
        $newsletter_door_asked[$id] = true;
        $link = get_permalink($id);
        if (is_string($link) && !isset(newsletter_door_entries()[newsletter_door_link_key($link)])) {
            $links[] = $link;
        }
    }
    $sent = ['list' => newsletter_door_settings()['list'], 'links' => $links];
    $answer = newsletter_door_request('POST', '/entries/search', '', $sent);
    return $newsletter_door_found += newsletter_door_read_entries($answer['body']);
}

/** Return a post, and the public ones in the same list of wp-admin that were not asked for yet. */
function newsletter_door_beside(int $post): array
{
    global $wp_query, $newsletter_door_asked;
    $ids = [$post];
    foreach ($wp_query instanceof WP_Query ? (array) $wp_query->posts : [] as $row) {
        if ($row instanceof WP_Post && $row->post_status === 'publish' && !isset($newsletter_door_asked[$row->ID])) {
            $ids[] = $row->ID;
        }
    }
    return array_values(array_unique($ids));
}

/** Forget what the installation has said of posts: it has changed. */
function newsletter_door_forget(): void
{
    global $newsletter_door_found, $newsletter_door_asked;
    $newsletter_door_found = $newsletter_door_asked = [];
    delete_transient(NEWSLETTER_DOOR_ENTRIES);
}

/** Return what is wrong with the connection, in words; '' if nothing is. */
function newsletter_door_check(): string
{
    $ping = newsletter_door_ping();
    if (is_wp_error($ping) || $ping === null || wp_remote_retrieve_response_code($ping) !== 200) {
        return __('The installation does not answer. Check its address.', 'newsletter-door');
    }
    if (newsletter_door_token() === '') {
        return '';
    }
    delete_transient(NEWSLETTER_DOOR_DOWN);
    $list = rawurlencode(newsletter_door_settings()['list']);
    $code = newsletter_door_request('GET', '/lists/' . $list)['code'];
    if ($code === 401) {
        return __('The token is not valid any more.', 'newsletter-door');
    }
    if ($code !== 200) {
        return __('The token is not for this list.', 'newsletter-door');
    }
    if (newsletter_door_request('GET', '/campaigns?list=' . $list)['code'] !== 403) {
        return __('The token may do more than a blog needs. Make one with: newsletter token add blog --scope publish --list LIST', 'newsletter-door');
    }
    return '';
}

add_action('update_option_' . NEWSLETTER_DOOR_OPTION, function ($old, $new): void {
    newsletter_door_forget();
    delete_transient(NEWSLETTER_DOOR_DOWN);
    $before = is_array($old) ? (string) ($old['url'] ?? '') : '';
    $after = is_array($new) ? (string) ($new['url'] ?? '') : '';
    if (newsletter_door_origin($before) !== newsletter_door_origin($after)) {
        delete_option(NEWSLETTER_DOOR_TOKEN); // it belongs to the other installation
    }
}, 10, 2);

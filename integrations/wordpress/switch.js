// The switch "Not in the newsletter" beside a post in the block editor. It is saved in the same
// request as the post: nobody reads the feed between the two.
( function ( wp ) {
	const el = wp.element.createElement;
	const __ = ( text ) => wp.i18n.__( text, 'newsletter-door' );
	const KEY = '_newsletter_door_skip';

	function Switch() {
		const meta = wp.data.useSelect( ( select ) => select( 'core/editor' ).getEditedPostAttribute( 'meta' ), [] );
		const { editPost } = wp.data.useDispatch( 'core/editor' );
		return el(
			wp.editPost.PluginDocumentSettingPanel,
			{ name: 'switch', title: __( 'Newsletter' ) },
			el( wp.components.CheckboxControl, {
				label: __( 'Not in the newsletter' ),
				checked: Boolean( meta && meta[ KEY ] ),
				onChange: ( skip ) => editPost( { meta: { [ KEY ]: skip } } ),
			} )
		);
	}

	wp.plugins.registerPlugin( 'newsletter-door', { icon: null, render: Switch } );
} )( window.wp );
